<?php
/**
 * The site's policy as the broker states it.
 *
 * @package Gatepass
 */

/**
 * What the broker says about this site: addresses of the panel, and where to land. Nothing in it
 * widens what the owner of this WordPress allows.
 */
final class Gatepass_Policy {

	/**
	 * Checked members.
	 *
	 * @var array{panel_url:?string,panel_start_url:?string,renew_url:?string,default_redirect:?string,require_binding:bool}
	 */
	private $members;

	/**
	 * Constructor.
	 *
	 * @param mixed $unverified The policy object as an array; what is wrong in it counts as absent.
	 */
	public function __construct( $unverified ) {
		$members       = is_array( $unverified ) ? $unverified : array();
		$this->members = array(
			'panel_url'        => self::link( $members['panel_url'] ?? null ),
			'panel_start_url'  => self::link( $members['panel_start_url'] ?? null ),
			'renew_url'        => self::link( $members['renew_url'] ?? null ),
			'default_redirect' => is_string( $members['default_redirect'] ?? null ) ? $members['default_redirect'] : null,
			'require_binding'  => true === ( $members['require_binding'] ?? null ),
		);
	}

	/**
	 * A link that may stand on a page: http or https, and nothing that could be a script.
	 *
	 * @param mixed $unverified Any value.
	 * @return string|null
	 */
	public static function link( $unverified ): ?string {
		return is_string( $unverified ) && strlen( $unverified ) <= 2048 && null !== Gatepass_Origin::of( $unverified ) ? $unverified : null;
	}

	/**
	 * The panel, which refusal pages lead back to.
	 *
	 * @return string|null
	 */
	public function panel_url(): ?string {
		return $this->members['panel_url'];
	}

	/**
	 * Where the panel begins a sign-in that is bound to the browser.
	 *
	 * @return string|null
	 */
	public function panel_start_url(): ?string {
		return $this->members['panel_start_url'];
	}

	/**
	 * Whether a sign-in must be bound to the browser that it was begun in. So it is as soon as there is
	 * a place to begin one.
	 *
	 * @return bool
	 */
	public function requires_binding(): bool {
		return $this->members['require_binding'] || null !== $this->members['panel_start_url'];
	}

	/**
	 * Where a membership is renewed.
	 *
	 * @return string|null
	 */
	public function renew_url(): ?string {
		return $this->members['renew_url'];
	}

	/**
	 * Where to land if the panel did not say. Still to be checked by Gatepass_Redirects.
	 *
	 * @return string|null
	 */
	public function default_redirect(): ?string {
		return $this->members['default_redirect'];
	}

	/**
	 * The policy, to be stored.
	 *
	 * @return array<string,string|bool|null>
	 */
	public function to_array(): array {
		return $this->members;
	}
}
