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
	 * @param string $code Why. Never the words of the HTTP library: they tell of ports and hosts that answer.
	 * @return self
	 */
	public static function none( string $code ): self {
		return new self( 0, array( 'code' => $code ) );
	}

	/**
	 * From WordPress's HTTP API.
	 *
	 * @param array<string,mixed> $response What wp_remote_post() gave.
	 * @return self
	 */
	public static function from_response( array $response ): self {
		$date        = strtotime( self::header( $response, 'date' ) );
		$retry_after = self::header( $response, 'retry-after' );
		$members     = Gatepass_Json::object( wp_remote_retrieve_body( $response ) );
		return new self(
			(int) wp_remote_retrieve_response_code( $response ),
			null === $members ? array() : $members,
			false === $date ? null : $date,
			1 === preg_match( '/\A\d{1,6}\z/', $retry_after ) ? (int) $retry_after : 0
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
	 * The first of the mistakes that a problem lists.
	 *
	 * @return string Its field and its message; empty if none is listed.
	 */
	public function first_mistake(): string {
		$errors = $this->members['errors'] ?? null;
		$first  = is_array( $errors ) ? reset( $errors ) : null;
		if ( ! is_array( $first ) || ! is_string( $first['message'] ?? null ) ) {
			return '';
		}
		return ( is_string( $first['field'] ?? null ) ? $first['field'] . ': ' : '' ) . $first['message'];
	}

	/**
	 * Whether it may be that the bridge did what it was asked, and we only did not hear of it: no
	 * answer, an answer that is no JSON object, or trouble on its side or in between.
	 *
	 * @return bool
	 */
	public function is_lost(): bool {
		return 0 === $this->status || $this->status >= 500 || ( $this->status < 300 && array() === $this->members );
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
	 * After how long to ask again.
	 *
	 * @return int Seconds; 0 if the bridge does not say.
	 */
	public function retry_after(): int {
		return $this->retry_after;
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
		$refusal = new Gatepass_Refusal(
			$page,
			'' === $this->code() ? 'bridge_answered_' . $this->status : $this->code(),
			$this->members,
			$this->retry_after > 0 ? $this->retry_after : 10
		);
		if ( 'counted' === $this->text( 'trail' ) ) {
			return $refusal->untold( 'handoff_expired' === $this->code() ? 'token_expired' : 'token_invalid' );
		}
		return $this->is_lost() && '' === $refusal->local_cause() ? $refusal->untold( 'bridge_unreachable' ) : $refusal;
	}

	/**
	 * A header. A proxy may have added a second one of the same name; the first counts.
	 *
	 * @param array<string,mixed> $response What wp_remote_post() gave.
	 * @param string              $name     Its name, in lower case.
	 * @return string Empty if absent.
	 */
	private static function header( array $response, string $name ): string {
		$value = wp_remote_retrieve_header( $response, $name );
		if ( is_array( $value ) ) {
			$value = reset( $value );
		}
		return is_string( $value ) ? $value : '';
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
