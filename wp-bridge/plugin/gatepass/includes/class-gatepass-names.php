<?php
/**
 * Every name this plugin leaves in, or gives to, a WordPress: options, user meta, hooks, actions.
 *
 * @package Gatepass
 */

/**
 * The one list of names. Nothing else in the plugin spells one out; uninstall.php removes what
 * is stored under them.
 */
final class Gatepass_Names {

	/*
	 * Options, one set a blog, none of them autoloaded but the two that the gate needs on every page.
	 */

	/** What pairing gave us: site id, issuer, bridge, pinned keys, first policy and our private key. */
	const OPTION_CONNECTION = 'gatepass_connection';
	/** The policy as last heard since, and of which pairing. Apart, so that hearing of it writes no key. */
	const OPTION_POLICY = 'gatepass_policy';
	/** What has become of keys since: the broker's as far as followed, our own as far as renewed. Apart for the same reason. */
	const OPTION_KEYS = 'gatepass_keys';
	/** When the bridge was last asked for key sets. Written past the option cache. */
	const OPTION_KEYS_ASKED = 'gatepass_keys_asked';
	/** The key pair of a pairing in progress, for the challenge and for asking again with the same code. */
	const OPTION_PENDING = 'gatepass_pending_pairing';
	/** The owner's off switch: '1' or '0'. */
	const OPTION_ENABLED = 'gatepass_enabled';
	/** Whether the owner lets the panel's staff sign in on behalf of customers: '1' or '0'. */
	const OPTION_SUPPORT = 'gatepass_support';
	/** Roles the owner lets Gatepass give. */
	const OPTION_ROLES = 'gatepass_allowed_roles';
	/** Seconds this machine's clock is behind the bridge's. */
	const OPTION_CLOCK_OFFSET = 'gatepass_clock_offset';
	/** '1' while the bridge says that this WordPress is not where the site is registered: it is a copy. */
	const OPTION_CONFLICT = 'gatepass_identity_conflict';
	/** How far this site has followed the panel, and how fresh that is. Autoloaded. */
	const OPTION_SYNC = 'gatepass_sync';
	/** What the gate goes by on every page: of which pairing it is, and what the owner wants of it. Autoloaded. */
	const OPTION_GATE = 'gatepass_gate';
	/** When the panel was last asked because what is known was too old. Written past the option cache. */
	const OPTION_REFRESH = 'gatepass_refresh';
	/** How long the last mail for a new password took to send, and whether it could be sent. */
	const OPTION_RESET_MAIL = 'gatepass_reset_mail';
	/** That somebody wants another pull after the one that is under way. A row that is never read as an option. */
	const OPTION_SYNC_AGAIN = 'gatepass_sync_again';
	/** When the newest poke that was taken was made. */
	const OPTION_POKED = 'gatepass_poked';
	/** What becomes of an account whose customer the panel removes: one of Gatepass_Removal's. */
	const OPTION_REMOVAL = 'gatepass_removal';
	/** Who gets the content of accounts that are deleted: a user's number. */
	const OPTION_REASSIGN = 'gatepass_reassign_to';
	/** Which form the log's table has; absent while there is none. */
	const OPTION_LOG_SCHEMA = 'gatepass_log_schema';
	/** Beginning of the name of a lock's row, which lives for seconds. */
	const OPTION_LOCK_PREFIX = 'gatepass_lock_';

	/*
	 * Tables, one a blog. What is said here comes after the blog's prefix.
	 */

	/** The owner's log: who signed in by button, and who was refused. */
	const TABLE_LOG = 'gatepass_log';

	/*
	 * User meta.
	 */

	/*
	 * They begin with an underscore, which keeps them out of forms and APIs that edit meta
	 * (is_protected_meta()).
	 */

	/** Followed by 32 hex digits: who this user is to which panel. The value says it in words. */
	const META_IDENTITY_PREFIX = '_gatepass_identity_';
	/** Followed by the same digits as the identity's: the member's standing as last heard. */
	const META_STANDING_PREFIX = '_gatepass_standing_';
	/** What the customer has agreed to, as the panel says it: two times and a yes or no. */
	const META_CONSENT = '_gatepass_consent';
	/** Whether the customer wants marketing mail, for plugins that send it: 'yes' or 'no'. */
	const META_MARKETING = '_gatepass_marketing_opt_in';
	/** Since when, as ISO 8601; absent while the answer is no. */
	const META_MARKETING_AT = '_gatepass_marketing_opt_in_at';
	/** Attempts whose sign-in is complete, for two minutes: hash => time. */
	const META_ATTEMPTS = '_gatepass_attempts';
	/** A sign-in that another plugin has put off, for ten minutes: hash of a cookie, and what the handoff says. */
	const META_PENDING = '_gatepass_pending';
	/** Key of our data inside a WordPress session. */
	const SESSION_DATA = 'gatepass';

	/*
	 * Cookies: what binds a sign-in to a browser, and what tells whose sign-in another plugin has put off.
	 */

	const COOKIE_BINDING       = 'gatepass_binding';
	const COOKIE_BINDING_HTTPS = '__Host-gatepass';
	const COOKIE_PENDING       = 'gatepass_pending';
	const COOKIE_PENDING_HTTPS = '__Host-gatepass-pending';
	/** Set by a probe, to see whether cookies survive the way. */
	const COOKIE_PROBE = 'gatepass_probe';
	/** Which ended session the browser has been told of. */
	const COOKIE_TOLD       = 'gatepass_told';
	const COOKIE_TOLD_HTTPS = '__Host-gatepass-told';

	/*
	 * Parameters of the login endpoint's address. `handoff` and `bound` come from the broker.
	 */

	const QUERY_START = 'start';
	/** Of the broker's call that there is something to pull. */
	const QUERY_POKE = 'poke';
	/** Whether an arrival failed, and is led through the start again. */
	const QUERY_AGAIN       = 'again';
	const QUERY_PROBE       = 'probe';
	const QUERY_LOGIN_HINT  = 'login_hint';
	const QUERY_REDIRECT_TO = 'redirect_to';

	/*
	 * Parameters of the settings page's address.
	 */

	const QUERY_TAB    = 'tab';
	const QUERY_WHO    = 'who';
	const QUERY_RESULT = 'result';
	const TAB_SIGN_INS = 'sign-ins';

	/*
	 * The login form for members: its shortcode, its style, the page that a form names as its own, and
	 * the parameter that says how it went.
	 */

	const SHORTCODE_LOGIN = 'gatepass_login';
	const STYLE_LOGIN     = 'gatepass-login';
	const FIELD_PAGE      = 'gatepass_page';
	const QUERY_LOGIN     = 'gatepass_login';

	/*
	 * WP-Cron.
	 */

	const CRON_HEARTBEAT = 'gatepass_heartbeat';
	const CRON_SYNC      = 'gatepass_sync';
	/** Goes on with a pull whose time was up. */
	const CRON_SYNC_MORE = 'gatepass_sync_more';
	/** How often WP-Cron pulls: a schedule of our own, every five minutes. */
	const CRON_SCHEDULE = 'gatepass_five_minutes';

	/*
	 * Actions of wp-admin/admin-post.php.
	 */

	const ACTION_LOGIN     = 'gatepass';
	const ACTION_CHALLENGE = 'gatepass_challenge';
	const ACTION_SETTINGS  = 'gatepass_settings';
	const ACTION_LEAVE     = 'gatepass_leave';
	/** Downloads the owner's log. */
	const ACTION_EXPORT = 'gatepass_export';

	/*
	 * Pages, nonces, tests.
	 */

	const SETTINGS_PAGE   = 'gatepass';
	const SETTINGS_NONCE  = 'gatepass_settings';
	const EXPORT_NONCE    = 'gatepass_export';
	const HEALTH_PAIRING  = 'gatepass_pairing';
	const HEALTH_ENDPOINT = 'gatepass_endpoint';
	const HEALTH_SYNC     = 'gatepass_sync';
	const HEALTH_KEYS     = 'gatepass_keys';
	const CLI_COMMAND     = 'gatepass';

	/** Codes of the gate's errors: no membership, and none that could be checked. */
	const ERROR_MEMBERSHIP = 'gatepass_membership_inactive';
	const ERROR_UNCHECKED  = 'gatepass_membership_unchecked';
	/** Our exporter and our eraser of personal data, and the groups of what is exported. */
	const PRIVACY            = 'gatepass';
	const PRIVACY_LOG        = 'gatepass_log';
	const PRIVACY_CONSENT    = 'gatepass_consent';
	const PRIVACY_SESSIONS   = 'gatepass_sessions';
	const TRANSIENT_SETTINGS = 'settings_errors';
	/** That the bridge was asked for the policy a moment ago. */
	const TRANSIENT_ASKED = 'gatepass_asked';

	/*
	 * Actions and filters that others may use.
	 */

	/**
	 * Runs early in `init` of every request in which somebody of the panel's staff acts for a customer: the place to
	 * forbid more. Arguments: the customer (WP_User), and who acts (string[]: subject, name, reason, handoff, since).
	 */
	const ACTION_ON_BEHALF = 'gatepass_on_behalf';

	/** Capabilities (string[]) that make nobody privileged, beside those of the allowed roles. */
	const FILTER_HARMLESS_CAPABILITIES = 'gatepass_harmless_capabilities';
	/** The browser's address (string) as told to the bridge; default REMOTE_ADDR. */
	const FILTER_CLIENT_IP = 'gatepass_client_ip';
	/** Whether `wp_authenticate_user`, where other plugins disable accounts, is asked (bool); default: yes. */
	const FILTER_CHECK_WP_AUTHENTICATE_USER = 'gatepass_check_wp_authenticate_user';
	/** Whether a user may sign in by button: true, or a WP_Error. Then WP_User and the panel's id of its customer. */
	const FILTER_MAY_SIGN_IN = 'gatepass_may_sign_in';
	/**
	 * Whether a member is let in (bool), by password, application password or with a session that is there. Then
	 * WP_User. Not asked for users who are no customers of the panel; its no does not count for those whom the owner has
	 * exempted, nor for those with more rights than the allowed roles give. Runs on every page that a member sees.
	 */
	const FILTER_IS_MEMBER_ALLOWED = 'gatepass_is_member_allowed';
	/** After how many days (int) a line of the log is removed; default 90. */
	const FILTER_LOG_DAYS = 'gatepass_log_days';
	/** How many lines (int) the log holds at most; default 5000. */
	const FILTER_LOG_LINES = 'gatepass_log_lines';
	/** Whether a bridge (second argument: its URL) may be spoken to without HTTPS; default: loopback only. */
	const FILTER_ALLOW_PLAIN_HTTP = 'gatepass_allow_plain_http';
}
