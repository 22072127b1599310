<?php
/**
 * Why a customer is not let in, as the customer may know it.
 *
 * @package Gatepass
 */

/**
 * Ends a sign-in with one of the three pages. The cause is for the outcome report and the tests;
 * no page shows it.
 */
final class Gatepass_Refusal extends Exception {

	const ASK_AGAIN  = 'ask_again';
	const MEMBERSHIP = 'membership';
	const TEMPORARY  = 'temporary';

	/**
	 * Page of the refusal => HTTP status.
	 */
	const STATUS = array(
		self::ASK_AGAIN  => 410,
		self::MEMBERSHIP => 403,
		self::TEMPORARY  => 503,
	);

	/**
	 * Causes that waiting does not mend: they have their own words on the temporary page.
	 */
	const LASTING = array(
		'account_privileged',
		'email_taken',
		'email_invalid',
		'username_taken',
		'account_not_on_blog',
		'account_blocked',
		'role_not_allowed',
		'origin_mismatch',
		'origin_unknown',
		'internal',
		'switched_off',
		'not_paired',
		'start_not_set_up',
		'site_is_a_copy',
		'support_forbidden',
	);

	/**
	 * Which page.
	 *
	 * @var string
	 */
	private $page;

	/**
	 * The cause, a stable code.
	 *
	 * @var string
	 */
	private $cause;

	/**
	 * Links that came with the refusal.
	 *
	 * @var array{panel_url:?string,renew_url:?string}
	 */
	private $links;

	/**
	 * After how many seconds to try again.
	 *
	 * @var int
	 */
	private $retry_after;

	/**
	 * WordPress user concerned, 0 for none.
	 *
	 * @var int
	 */
	private $user_id = 0;

	/**
	 * The cause that the reference has to say, if it is another one.
	 *
	 * @var string
	 */
	private $local_cause = '';

	/**
	 * Constructor.
	 *
	 * @param string                                     $page        One of the three pages.
	 * @param string                                     $cause       Stable code.
	 * @param array{panel_url?:mixed,renew_url?:mixed}   $links       Unverified links to show.
	 * @param int                                        $retry_after Seconds, for the temporary page.
	 */
	public function __construct( string $page, string $cause, array $links = array(), int $retry_after = 10 ) {
		parent::__construct( $cause );
		$this->page        = isset( self::STATUS[ $page ] ) ? $page : self::TEMPORARY;
		$this->cause       = $cause;
		$this->links       = array(
			'panel_url' => Gatepass_Policy::link( $links['panel_url'] ?? null ),
			'renew_url' => Gatepass_Policy::link( $links['renew_url'] ?? null ),
		);
		$this->retry_after = max( 1, min( 300, $retry_after ) );
	}

	/**
	 * The account here cannot be used, though the membership is fine.
	 *
	 * @param string $cause   Code of the outcome report.
	 * @param int    $user_id WordPress user concerned, 0 for none.
	 * @return self
	 */
	public static function account( string $cause, int $user_id = 0 ): self {
		$refusal          = new self( self::TEMPORARY, $cause );
		$refusal->user_id = $user_id;
		return $refusal;
	}

	/**
	 * Which page.
	 *
	 * @return string
	 */
	public function page(): string {
		return $this->page;
	}

	/**
	 * The cause.
	 *
	 * @return string
	 */
	public function cause(): string {
		return $this->cause;
	}

	/**
	 * The same refusal, whose cause no audit trail tells.
	 *
	 * @param string $local_cause One of Gatepass_Reference::LOCAL_CAUSES.
	 * @return self
	 */
	public function untold( string $local_cause ): self {
		$this->local_cause = $local_cause;
		return $this;
	}

	/**
	 * The cause that its reference has to say, as no audit trail does.
	 *
	 * @return string One of Gatepass_Reference::LOCAL_CAUSES, or empty if the trail tells.
	 */
	public function local_cause(): string {
		$cause = '' === $this->local_cause ? $this->cause : $this->local_cause;
		return isset( Gatepass_Reference::LOCAL_CAUSES[ $cause ] ) ? $cause : '';
	}

	/**
	 * HTTP status of the page.
	 *
	 * @return int
	 */
	public function status(): int {
		return self::STATUS[ $this->page ];
	}

	/**
	 * Whether trying again later can help.
	 *
	 * @return bool
	 */
	public function passes(): bool {
		return self::TEMPORARY === $this->page && ! in_array( $this->cause, self::LASTING, true );
	}

	/**
	 * Whether something did not work, rather than that somebody said no.
	 *
	 * @return bool
	 */
	public function is_failure(): bool {
		return $this->passes() || in_array( $this->cause, array( 'internal', 'not_paired' ), true );
	}

	/**
	 * Whether the sign-in is not of this browser, as far as can be told.
	 *
	 * @return bool
	 */
	public function is_of_binding(): bool {
		return in_array( $this->cause, array( 'binding_absent', 'binding_mismatch' ), true );
	}

	/**
	 * After how many seconds to try again.
	 *
	 * @return int
	 */
	public function retry_after(): int {
		return $this->retry_after;
	}

	/**
	 * WordPress user concerned.
	 *
	 * @return int 0 for none.
	 */
	public function user_id(): int {
		return $this->user_id;
	}

	/**
	 * The panel, as far as this refusal knows it.
	 *
	 * @return string|null
	 */
	public function panel_url(): ?string {
		return $this->links['panel_url'];
	}

	/**
	 * Where to renew, as far as this refusal knows it.
	 *
	 * @return string|null
	 */
	public function renew_url(): ?string {
		return $this->links['renew_url'];
	}
}
