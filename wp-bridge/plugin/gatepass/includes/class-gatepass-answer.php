<?php
/**
 * An answer of the bridge, or the want of one.
 *
 * @package Gatepass
 */

/**
 * Status and JSON members of an answer. Status 0: none came.
 */
final class Gatepass_Answer {

	/**
	 * HTTP status, 0 for no answer.
	 *
	 * @var int
	 */
	private $status;

	/**
	 * JSON members.
	 *
	 * @var array<string,mixed>
	 */
	private $members;

	/**
	 * The bridge's clock, seconds since 1970.
	 *
	 * @var int|null
	 */
	private $date;

	/**
	 * Seconds of the Retry-After header, 0 for none.
	 *
	 * @var int
	 */
	private $retry_after;

	/**
	 * Constructor.
	 *
	 * @param int                 $status      HTTP status.
	 * @param array<string,mixed> $members     JSON members.
	 * @param int|null            $date        The bridge's clock.
	 * @param int                 $retry_after Seconds.
	 */
	public function __construct( int $status, array $members, ?int $date = null, int $retry_after = 0 ) {
		$this->status      = $status;
		$this->members     = $members;
		$this->date        = $date;
		$this->retry_after = $retry_after;
	}

	/**
	 * No answer.
	 *
	 * @param string $code   Why.
	 * @param string $detail Why, in words.
	 * @return self
	 */
	public static function none( string $code, string $detail = '' ): self {
		return new self(
			0,
			array(
				'code'   => $code,
				'detail' => $detail,
			)
		);
	}

	/**
	 * From WordPress's HTTP API.
	 *
	 * @param array<string,mixed> $response What wp_remote_post() gave.
	 * @return self
	 */
	public static function from_response( array $response ): self {
		$date        = strtotime( (string) wp_remote_retrieve_header( $response, 'date' ) );
		$retry_after = (string) wp_remote_retrieve_header( $response, 'retry-after' );
		$members     = Gatepass_Json::object( wp_remote_retrieve_body( $response ) );
		return new self(
			(int) wp_remote_retrieve_response_code( $response ),
			null === $members ? array() : $members,
			false === $date ? null : $date,
			ctype_digit( $retry_after ) ? (int) $retry_after : 0
		);
	}

	/**
	 * HTTP status.
	 *
	 * @return int 0 for no answer.
	 */
	public function status(): int {
		return $this->status;
	}

	/**
	 * JSON members.
	 *
	 * @return array<string,mixed>
	 */
	public function members(): array {
		return $this->members;
	}

	/**
	 * The problem's code.
	 *
	 * @return string Empty if it has none.
	 */
	public function code(): string {
		return $this->text( 'code' );
	}

	/**
	 * The problem's explanation.
	 *
	 * @return string Empty if it has none.
	 */
	public function detail(): string {
		return $this->text( 'detail' );
	}

	/**
	 * The bridge's clock.
	 *
	 * @return int|null Seconds since 1970.
	 */
	public function date(): ?int {
		return $this->date;
	}

	/**
	 * The refusal that a customer gets for anything but a yes. An answer that is no problem
	 * document of ours (a proxy's page, say) is trouble that passes, not a verdict.
	 *
	 * @return Gatepass_Refusal
	 */
	public function refusal(): Gatepass_Refusal {
		$page = $this->text( 'page' );
		if ( $this->status < 400 || '' === $this->code() || ! isset( Gatepass_Refusal::STATUS[ $page ] ) ) {
			$page = Gatepass_Refusal::TEMPORARY;
		}
		return new Gatepass_Refusal(
			$page,
			'' === $this->code() ? 'bridge_answered_' . $this->status : $this->code(),
			$this->members,
			$this->retry_after > 0 ? $this->retry_after : 10
		);
	}

	/**
	 * A member that is a text.
	 *
	 * @param string $name Its name.
	 * @return string Empty if absent.
	 */
	private function text( string $name ): string {
		return is_string( $this->members[ $name ] ?? null ) ? $this->members[ $name ] : '';
	}
}
