<?php
/**
 * The pages a customer sees.
 *
 * @package Gatepass
 */

/**
 * Landing page, question and refusals: one layout, no theme, nothing from anywhere else. Style and script are
 * constants, because the content security policy names their hashes.
 */
final class Gatepass_Pages {

	const FORM_ID = 'gatepass-form';

	/*
	 * Unicode's first strong isolate and its end. Their elements are `<bdi>`.
	 */

	const ISOLATE        = "\u{2068}";
	const END_OF_ISOLATE = "\u{2069}";

	/**
	 * The stylesheet of every page.
	 */
	const STYLE = <<<'CSS'
:root{color-scheme:light dark;--paper:#fff;--ground:#f3f4f7;--ink:#16181d;--soft:#596070;--line:#e3e5eb;--accent:#2447d8;--on-accent:#fff;--shade:0 1px 2px rgba(20,24,40,.05),0 12px 32px rgba(20,24,40,.08)}
@media (prefers-color-scheme:dark){:root{--paper:#1b1e25;--ground:#111318;--ink:#eef0f5;--soft:#a3abbb;--line:#2c313c;--accent:#8ea6ff;--on-accent:#0f1533;--shade:none}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;align-items:center;justify-content:center;padding:24px 16px;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{width:100%;max-width:440px;background:var(--paper);border:1px solid var(--line);border-radius:16px;padding:32px;box-shadow:var(--shade)}
.site{display:flex;align-items:center;gap:12px;margin:0 0 28px;font-weight:600;color:var(--ink);overflow-wrap:anywhere}
.icon{flex:none;width:40px;height:40px;border-radius:10px;object-fit:cover}
.letter{display:flex;align-items:center;justify-content:center;background:var(--accent);color:var(--on-accent);font-size:20px;line-height:1}
h1{margin:0 0 10px;font-size:24px;line-height:1.25;letter-spacing:-.01em;font-weight:650;overflow-wrap:anywhere;text-wrap:balance}
p{margin:0 0 14px;color:var(--soft)}
.wait{display:flex;align-items:center;gap:12px;margin:0}
.wheel{flex:none;width:20px;height:20px;border:2.5px solid var(--line);border-top-color:var(--accent);border-radius:50%;animation:turn .9s linear infinite}
@keyframes turn{to{transform:rotate(1turn)}}
.people{display:grid;gap:10px;margin:20px 0 0;padding:0;list-style:none}
.people li{display:flex;align-items:center;gap:12px;padding:12px 14px;border:1px solid var(--line);border-radius:12px;color:var(--soft)}
.people .next{border-color:var(--accent)}
.people b{display:block;color:var(--ink);overflow-wrap:anywhere}
.people .face{flex:none;display:flex;align-items:center;justify-content:center;width:36px;height:36px;border-radius:50%;background:var(--ground);color:var(--soft);font-weight:600}
.people .next .face{background:var(--accent);color:var(--on-accent)}
.do{display:flex;flex-wrap:wrap;gap:10px;margin:24px 0 0}
.do form{display:flex;flex:1 1 auto;margin:0}
.button{flex:1 1 auto;display:inline-flex;align-items:center;justify-content:center;min-height:46px;padding:10px 18px;border:1px solid var(--line);border-radius:10px;background:transparent;color:var(--ink);font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
.main{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
.button:hover{filter:brightness(1.07)}
.button:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.reference{margin:28px 0 0;padding-top:16px;border-top:1px solid var(--line);font-size:14px}
.reference b{font:600 14px/1 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;letter-spacing:.04em;color:var(--ink);white-space:nowrap;user-select:all}
[hidden]{display:none!important}
@media (max-width:480px){body{padding:16px}main{padding:24px;border-radius:14px}h1{font-size:22px}.do{flex-direction:column}}
@media (prefers-reduced-motion:reduce){.wheel{animation-duration:4s}}
@media (forced-colors:active){.main,.letter{border:1px solid}}
CSS;

	/**
	 * The script of the landing page.
	 *
	 * It takes the token out of the address before anything else, so that neither history nor a
	 * shoulder surfer keeps it; makes the attempt, 128 random bits that stay the same however often
	 * the form is sent; and sends the form as a navigation of the browser, because two-factor plugins
	 * answer with a page of their own. A prerendered page waits until somebody looks at it. The
	 * address may also change while the page stands (a second link in the same tab), hence hashchange.
	 */
	const SCRIPT = <<<'JS'
(function () {
	'use strict';
	var form = document.getElementById('gatepass-form');
	var sent = false;
	function show(id) {
		['gatepass-wait', 'gatepass-missing'].forEach(function (name) {
			document.getElementById(name).hidden = name !== id;
		});
	}
	function run() {
		var found = /^#token=([A-Za-z0-9_.-]{1,2048})$/.exec(location.hash);
		if (location.hash) {
			history.replaceState(null, '', location.pathname + location.search);
		}
		if (sent) {
			return;
		}
		if (found) {
			form.elements.token.value = found[1];
		}
		if (!form.elements.token.value) {
			show('gatepass-missing');
			return;
		}
		var bytes = crypto.getRandomValues(new Uint8Array(16));
		form.elements.bound.value = /[?&]bound=1(&|$)/.test(location.search) ? '1' : '';
		form.elements.attempt.value = btoa(String.fromCharCode.apply(null, bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
		sent = true;
		show('gatepass-wait');
		form.submit();
	}
	function start() {
		window.addEventListener('hashchange', run);
		run();
	}
	if (document.prerendering) {
		document.addEventListener('prerenderingchange', start, { once: true });
	} else {
		start();
	}
}());
JS;

	/**
	 * Name of the site.
	 *
	 * @var string
	 */
	private $site_name;

	/**
	 * URL of the login endpoint.
	 *
	 * @var string
	 */
	private $endpoint;

	/**
	 * Constructor.
	 *
	 * @param string $site_name Name of the site.
	 * @param string $endpoint  URL of the login endpoint.
	 */
	public function __construct( string $site_name, string $endpoint ) {
		$this->site_name = $site_name;
		$this->endpoint  = $endpoint;
	}

	/**
	 * The landing page: the same for everyone. With a token it is what a foreign page's POST gets,
	 * and says the token again, now from our own origin.
	 *
	 * @param string|null           $panel_url Where the panel is.
	 * @param Gatepass_Handoff|null $handoff   A checked token that came by a foreign POST.
	 * @return string HTML.
	 */
	public function landing( ?string $panel_url, ?Gatepass_Handoff $handoff = null ): string {
		/* translators: %s: name of the site. */
		$title = sprintf( __( 'Signing you in to %s…', 'gatepass' ), $this->site_name );

		$html  = '<div id="gatepass-wait" hidden role="status">';
		$html .= '<h1>' . esc_html( $title ) . '</h1>';
		$html .= '<p class="wait"><span class="wheel" aria-hidden="true"></span>' . esc_html__( 'This takes only a moment.', 'gatepass' ) . '</p>';
		$html .= '</div>';

		$html .= '<div id="gatepass-missing" hidden>';
		$html .= $this->words(
			__( 'Please press the button again', 'gatepass' ),
			array( __( 'This page is one step of signing in, and it does not work when opened by itself. Go back to your panel and press the button to sign in.', 'gatepass' ) )
		);
		$html .= $this->actions( array( $this->link( $panel_url, __( 'Back to your panel', 'gatepass' ), true ) ) );
		$html .= '</div>';

		$html .= '<noscript>';
		$html .= $this->words(
			__( 'JavaScript is needed here', 'gatepass' ),
			array( __( 'Signing in with one click needs JavaScript. Please allow it for this site, then go back to your panel and press the button again.', 'gatepass' ) )
		);
		$html .= $this->actions( array( $this->link( $panel_url, __( 'Back to your panel', 'gatepass' ), true ) ) );
		$html .= '</noscript>';

		$html .= '<form id="' . esc_attr( self::FORM_ID ) . '" method="post" action="' . esc_url( $this->endpoint ) . '" autocomplete="off" hidden>';
		$html .= $this->inputs( $handoff, null, array( 'bound' => '' ) + ( null === $handoff ? array() : array( 'repost' => '1' ) ) );
		$html .= '</form>';
		$html .= '<script>' . self::SCRIPT . '</script>';

		return $this->page( $title, $html );
	}

	/**
	 * Leads an arrival that is bound to no browser through the start. A page and no redirect: browsers
	 * apply the policy of the page that sent a form, `form-action`, to wherever the answer redirects.
	 *
	 * @param string $start_url The start.
	 * @return string HTML.
	 */
	public function bounce( string $start_url ): string {
		$title = __( 'One moment…', 'gatepass' );
		$html  = $this->words( $title, array( __( 'Your panel is asked to sign you in here, in this browser.', 'gatepass' ) ) );
		$html .= $this->actions( array( $this->link( $start_url, __( 'Go on', 'gatepass' ), true ) ) );
		return $this->page( $title, $html, '<meta http-equiv="refresh" content="0;url=' . esc_url( $start_url ) . '">' );
	}

	/**
	 * The question whether somebody else may take the place of who is signed in.
	 *
	 * @param Gatepass_Arrival    $arrival Who arrives.
	 * @param WP_User             $other   Who is signed in.
	 * @param string              $name    Name of who arrives.
	 * @param Gatepass_Actor|null $actor   Who acts for them.
	 * @return string HTML.
	 */
	public function confirm( Gatepass_Arrival $arrival, WP_User $other, string $name, ?Gatepass_Actor $actor ): string {
		list( $other_name, $name ) = self::told_apart( $other->display_name, $other->user_login, $name, $arrival->handoff()->subject() );
		if ( null === $actor ) {
			/* translators: %s: name of a person. */
			$title = sprintf( __( 'Continue as %s?', 'gatepass' ), $name );
		} else {
			/* translators: %s: name of a person. */
			$title = sprintf( __( 'Continue on behalf of %s?', 'gatepass' ), $name );
		}
		/* translators: 1: name of the site, 2: name of a person. */
		$words = array( sprintf( __( 'This browser is signed in to %1$s as somebody else. If you continue, %2$s is signed out here.', 'gatepass' ), $this->site_name, $other_name ) );
		if ( null !== $actor ) {
			/* translators: 1: name of a person of the panel's support staff, 2: name of a customer, 3: why. */
			$words[] = sprintf( __( '%1$s, of your panel’s support staff, acts for %2$s. Reason: %3$s', 'gatepass' ), self::isolated( self::visible( $actor->name() ) ), $name, self::isolated( self::visible( $actor->reason() ) ) );
		}
		$html  = $this->words( $title, $words );
		$html .= '<ul class="people">';
		$html .= $this->person( '', $other_name, __( 'is signed in now', 'gatepass' ) );
		$html .= $this->person( 'next', $name, __( 'comes from your panel', 'gatepass' ) );
		$html .= '</ul>';
		$html .= $this->actions(
			array(
				$this->form(
					$this->inputs( $arrival->handoff(), $arrival->attempt(), array( 'leaving' => (string) $other->ID ) ),
					/* translators: %s: name of a person. */
					sprintf( __( 'Continue as %s', 'gatepass' ), $name )
				),
				$this->link(
					$other->has_cap( 'edit_posts' ) ? admin_url() : home_url( '/' ),
					/* translators: %s: name of a person. */
					sprintf( __( 'Stay signed in as %s', 'gatepass' ), $other_name ),
					false
				),
			)
		);
		return $this->page( self::visible( $title ), $html );
	}

	/**
	 * The names of the two people of the question. If they have the same, with what only one of them has.
	 *
	 * @param string $other    Name of who is signed in; may be empty.
	 * @param string $login    Their user name.
	 * @param string $name     Name of who arrives.
	 * @param string $customer Their customer number.
	 * @return array{0:string,1:string} As text for html().
	 */
	private static function told_apart( string $other, string $login, string $name, string $customer ): array {
		$other = self::visible( $other );
		$name  = self::visible( $name );
		$other = '' === $other ? self::visible( $login ) : $other;
		$name  = '' === $name ? $customer : $name;
		if ( 0 !== strcasecmp( $other, $name ) ) {
			return array( self::isolated( $other ), self::isolated( $name ) );
		}
		return array(
			/* translators: 1: name of a person, 2: their user name. */
			sprintf( __( '%1$s (user name %2$s)', 'gatepass' ), self::isolated( $other ), self::isolated( self::visible( $login ) ) ),
			/* translators: 1: name of a person, 2: their customer number. */
			sprintf( __( '%1$s (customer %2$s)', 'gatepass' ), self::isolated( $name ), self::isolated( $customer ) ),
		);
	}

	/**
	 * A text without what cannot be seen, with which one name could be made to look like another, or to turn around
	 * what stands beside it: U+200B to U+200F, U+202A to U+202E, U+2066 to U+2069.
	 *
	 * @param string $text Any text.
	 * @return string
	 */
	public static function visible( string $text ): string {
		$text = (string) preg_replace( '/\xE2\x80[\x8B-\x8F\xAA-\xAE]|\xE2\x81[\xA6-\xA9]/', '', $text );
		return trim( (string) preg_replace( '/(?:\s|\xC2\xA0)+/', ' ', $text ) );
	}

	/**
	 * A text that whatever stands around it is not written in the direction of.
	 *
	 * @param string $text Text as visible() gives it.
	 * @return string For html().
	 */
	private static function isolated( string $text ): string {
		return self::ISOLATE . $text . self::END_OF_ISOLATE;
	}

	/**
	 * A text as HTML, with what is isolated in it.
	 *
	 * @param string $text Any text.
	 * @return string
	 */
	private static function html( string $text ): string {
		return str_replace( array( self::ISOLATE, self::END_OF_ISOLATE ), array( '<bdi>', '</bdi>' ), esc_html( $text ) );
	}

	/**
	 * A refusal.
	 *
	 * @param Gatepass_Refusal        $refusal   Which.
	 * @param Gatepass_Policy         $policy    Links, where the refusal has none of its own.
	 * @param Gatepass_Reference|null $reference The reference to show, if there is anything to look up.
	 * @param Gatepass_Handoff|null   $handoff   A checked token that may be tried again.
	 * @param Gatepass_Attempt|null   $attempt   Its attempt.
	 * @return string HTML.
	 */
	public function refusal( Gatepass_Refusal $refusal, Gatepass_Policy $policy, ?Gatepass_Reference $reference, ?Gatepass_Handoff $handoff = null, ?Gatepass_Attempt $attempt = null ): string {
		$panel_url = $refusal->panel_url() ?? $policy->panel_url();
		$renew_url = $refusal->renew_url() ?? $policy->renew_url();
		$back      = __( 'Back to your panel', 'gatepass' );

		switch ( $refusal->page() ) {
			case Gatepass_Refusal::ASK_AGAIN:
				list( $title, $words ) = $this->ask_again_words( $refusal, $policy );
				$start                 = null === $policy->panel_start_url() ? null : Gatepass_Start::url_again( null === $handoff ? '' : $handoff->subject() );
				$actions               = array(
					$this->link( $start, __( 'Sign in again', 'gatepass' ), true ),
					$this->link( $panel_url, $back, null === $start ),
				);
				break;

			case Gatepass_Refusal::MEMBERSHIP:
				$title = __( 'Your membership is not active', 'gatepass' );
				/* translators: %s: name of the site. */
				$words   = array( sprintf( __( 'Signing in to %s needs an active membership. As soon as yours is active again, the button will let you in.', 'gatepass' ), $this->site_name ) );
				$actions = array(
					$this->link( $renew_url, __( 'Renew your membership', 'gatepass' ), true ),
					$this->link( $panel_url, $back, null === $renew_url ),
				);
				break;

			default:
				list( $title, $words ) = $this->temporary_words( $refusal );
				$again                 = null !== $handoff && null !== $attempt && $refusal->passes();
				$actions               = array(
					$again ? $this->form( $this->inputs( $handoff, $attempt, array( 'bound' => '1' ) ), __( 'Try again', 'gatepass' ) ) : '',
					$this->link( $panel_url, $back, ! $again ),
				);
		}

		$html  = '<div role="alert">' . $this->words( $title, $words ) . '</div>';
		$html .= $this->actions( $actions );
		if ( null !== $reference ) {
			$html .= '<p class="reference">' . sprintf(
				/* translators: %s: a reference like 7K3M-Q2ZD. */
				esc_html__( 'If you write to support, please mention this reference: %s', 'gatepass' ),
				'<b translate="no">' . esc_html( $reference->shown( $refusal->local_cause() ) ) . '</b>'
			) . '</p>';
		}

		return $this->page( $title, $html );
	}

	/**
	 * What a member sees whose membership has ended while they were signed in.
	 *
	 * @param Gatepass_Policy $policy     Links.
	 * @param string          $home       The site's front page.
	 * @param bool            $signed_out Whether the browser is signed out by it.
	 * @return string HTML.
	 */
	public function membership_ended( Gatepass_Policy $policy, string $home, bool $signed_out ): string {
		$title = __( 'Your membership is not active', 'gatepass' );
		$words = $signed_out
			/* translators: %s: name of the site. */
			? __( 'That is why you have been signed out of %s. As soon as your membership is active again, you can log in as before: your account and everything in it stay as they are.', 'gatepass' )
			/* translators: %s: name of the site. */
			: __( 'That is why you cannot use your account at %s for now. As soon as your membership is active again, you can go on as before: your account and everything in it stay as they are.', 'gatepass' );
		$renew = $policy->renew_url();
		$panel = $policy->panel_url();
		$html  = '<div role="alert">' . $this->words( $title, array( sprintf( $words, $this->site_name ) ) ) . '</div>';
		$html .= $this->actions(
			array(
				$this->link( $renew, __( 'Renew your membership', 'gatepass' ), true ),
				$this->link( $panel, __( 'Back to your panel', 'gatepass' ), null === $renew ),
				$this->link( $home, __( 'To the front page', 'gatepass' ), null === $renew && null === $panel ),
			)
		);
		return $this->page( $title, $html );
	}

	/**
	 * The content security policy of these pages.
	 *
	 * @param string[] $origins Origins of this site, where a form's answer may redirect to.
	 * @return string
	 */
	public static function content_security_policy( array $origins ): string {
		return "default-src 'none'"
			. "; script-src '" . self::hash( self::SCRIPT ) . "'"
			. "; style-src '" . self::hash( self::STYLE ) . "'"
			. "; img-src 'self'"
			. "; form-action 'self' " . implode( ' ', $origins )
			. "; base-uri 'none'; frame-ancestors 'none'";
	}

	/**
	 * Words of the page that asks to begin again.
	 *
	 * @param Gatepass_Refusal $refusal Which.
	 * @param Gatepass_Policy  $policy  Whether a sign-in can begin here.
	 * @return array{0:string,1:string[]} Heading and paragraphs.
	 */
	private function ask_again_words( Gatepass_Refusal $refusal, Gatepass_Policy $policy ): array {
		$what_to_do = null === $policy->panel_start_url()
			? __( 'That is quickly mended: go back to your panel and press the button again.', 'gatepass' )
			: __( 'That is quickly mended: sign in again.', 'gatepass' );
		if ( $refusal->is_of_binding() ) {
			return array(
				__( 'This sign-in belongs to another browser', 'gatepass' ),
				array(
					__( 'For your safety a sign-in works only in the browser that it was begun in.', 'gatepass' ) . ' ' . $what_to_do,
					/* translators: %s: name of the site. */
					sprintf( __( 'If you see this page again after that, please allow cookies for %s.', 'gatepass' ), $this->site_name ),
				),
			);
		}
		return array(
			__( 'Please press the button again', 'gatepass' ),
			array( __( 'A sign-in works only once and only for a short while, and this one can no longer be used.', 'gatepass' ) . ' ' . $what_to_do ),
		);
	}

	/**
	 * Words of the temporary page.
	 *
	 * @param Gatepass_Refusal $refusal Which.
	 * @return array{0:string,1:string[]} Heading and paragraphs.
	 */
	private function temporary_words( Gatepass_Refusal $refusal ): array {
		if ( $refusal->passes() ) {
			return array(
				__( 'Signing in does not work right now', 'gatepass' ),
				array( __( 'The service that signs you in did not answer as it should. It usually does again after a moment: please try once more.', 'gatepass' ) ),
			);
		}
		if ( 'switched_off' === $refusal->cause() ) {
			return array(
				__( 'Signing in by button is switched off', 'gatepass' ),
				/* translators: %s: name of the site. */
				array( sprintf( __( 'The owner of %s has switched it off for now. If you have a password for this site, you can still use it.', 'gatepass' ), $this->site_name ) ),
			);
		}
		if ( in_array( $refusal->cause(), array( 'not_paired', 'start_not_set_up' ), true ) ) {
			return array(
				__( 'Signing in by button is not set up yet', 'gatepass' ),
				/* translators: %s: name of the site. */
				array( sprintf( __( '%s has not been connected to a panel yet. Please try again later.', 'gatepass' ), $this->site_name ) ),
			);
		}
		if ( 'site_is_a_copy' === $refusal->cause() ) {
			return array(
				__( 'Signing in by button does not work here', 'gatepass' ),
				array(
					/* translators: %s: name of the site. */
					sprintf( __( 'This is a copy of %s, or the site has moved: your panel knows it under another address, and would sign you in there.', 'gatepass' ), $this->site_name ),
					__( 'Please go back to your panel and press the button there. If you come back here, contact support and mention the reference below.', 'gatepass' ),
				),
			);
		}
		if ( 'origin_mismatch' === $refusal->cause() ) {
			return array(
				__( 'Your browser could not be recognised', 'gatepass' ),
				array(
					/* translators: %s: name of the site. */
					sprintf( __( '%s could not see that this sign-in came from its own page. An extension of your browser, or something between it and the site, takes out what is needed for that (the header “Origin”).', 'gatepass' ), $this->site_name ),
					__( 'Please go back to your panel and press the button again in another browser. If that does not help, contact support and mention the reference below.', 'gatepass' ),
				),
			);
		}
		if ( 'origin_unknown' === $refusal->cause() ) {
			return array(
				__( 'Signing in by button is not set up correctly', 'gatepass' ),
				/* translators: %s: name of the site. */
				array( sprintf( __( '%s does not know its own address. Please contact support and mention the reference below.', 'gatepass' ), $this->site_name ) ),
			);
		}
		if ( 'support_forbidden' === $refusal->cause() ) {
			return array(
				__( 'Support staff may not sign in here', 'gatepass' ),
				array(
					/* translators: %s: name of the site. */
					sprintf( __( 'You came to act for a customer. The owner of %s does not allow that, so nothing has happened there.', 'gatepass' ), $this->site_name ),
					__( 'The owner can allow it under Settings → Gatepass.', 'gatepass' ),
				),
			);
		}
		return array(
			__( 'We could not open your account here', 'gatepass' ),
			array(
				/* translators: %s: name of the site. */
				sprintf( __( 'Your membership is fine. But %s could not match it with an account, and trying again will not help.', 'gatepass' ), $this->site_name ),
				__( 'Please contact support and mention the reference below. They can see what happened.', 'gatepass' ),
			),
		);
	}

	/**
	 * A whole page.
	 *
	 * @param string $title Title, as text.
	 * @param string $body  What stands on the card, as HTML.
	 * @param string $head  More for its head, as HTML.
	 * @return string HTML.
	 */
	private function page( string $title, string $body, string $head = '' ): string {
		return '<!DOCTYPE html>' . "\n"
			. '<html lang="' . esc_attr( str_replace( '_', '-', get_locale() ) ) . '" dir="' . ( is_rtl() ? 'rtl' : 'ltr' ) . '">'
			. '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
			. '<meta name="robots" content="noindex,nofollow"><meta name="color-scheme" content="light dark">'
			. '<title>' . esc_html( $title . ' · ' . $this->site_name ) . '</title>'
			. '<style>' . self::STYLE . '</style>' . $head . '</head>'
			. '<body><main><p class="site">' . $this->icon() . '<span>' . esc_html( $this->site_name ) . '</span></p>'
			. $body
			. '</main></body></html>' . "\n";
	}

	/**
	 * The site's icon if it lies on this very origin, else its first letter.
	 *
	 * @return string HTML.
	 */
	private function icon(): string {
		$url = (string) get_site_icon_url( 192 );
		if ( '' !== $url && Gatepass_Origin::of_site( $url ) === Gatepass_Origin::of_site( $this->endpoint ) ) {
			return '<img class="icon" src="' . esc_url( $url ) . '" alt="" width="40" height="40">';
		}
		return '<span class="icon letter" aria-hidden="true">' . esc_html( self::initial( $this->site_name ) ) . '</span>';
	}

	/**
	 * The first letter of a name, large where PHP can do that: not every server has mbstring.
	 *
	 * @param string $name Any text.
	 * @return string Empty for nothing, and for what is no UTF-8.
	 */
	public static function initial( string $name ): string {
		$letter = 1 === preg_match( '/\A./us', $name, $found ) ? $found[0] : '';
		if ( 1 === strlen( $letter ) ) {
			return strtoupper( $letter );
		}
		return function_exists( 'mb_strtoupper' ) ? mb_strtoupper( $letter, 'UTF-8' ) : $letter;
	}

	/**
	 * Heading and paragraphs.
	 *
	 * @param string   $title      Heading.
	 * @param string[] $paragraphs Paragraphs.
	 * @return string HTML.
	 */
	private function words( string $title, array $paragraphs ): string {
		return '<h1>' . self::html( $title ) . '</h1><p>' . implode( '</p><p>', array_map( array( self::class, 'html' ), $paragraphs ) ) . '</p>';
	}

	/**
	 * What can be done now.
	 *
	 * @param string[] $actions HTML, or empty strings.
	 * @return string HTML.
	 */
	private function actions( array $actions ): string {
		$html = implode( '', $actions );
		return '' === $html ? '' : '<div class="do">' . $html . '</div>';
	}

	/**
	 * A link that looks like a button.
	 *
	 * @param string|null $url     Where to.
	 * @param string      $label   What it says.
	 * @param bool        $is_main Whether it is the one to press.
	 * @return string HTML, empty without URL.
	 */
	private function link( ?string $url, string $label, bool $is_main ): string {
		if ( null === $url ) {
			return '';
		}
		return '<a class="button' . ( $is_main ? ' main' : '' ) . '" href="' . esc_url( $url, array( 'http', 'https' ) ) . '">' . self::html( $label ) . '</a>';
	}

	/**
	 * One of the two people of the question.
	 *
	 * @param string $css_class Class, or empty.
	 * @param string $name      Name.
	 * @param string $role      What is said of them.
	 * @return string HTML.
	 */
	private function person( string $css_class, string $name, string $role ): string {
		return '<li class="' . esc_attr( $css_class ) . '"><span class="face" aria-hidden="true">' . esc_html( self::initial( self::visible( $name ) ) ) . '</span>'
			. '<span><b>' . self::html( $name ) . '</b> ' . esc_html( $role ) . '</span></li>';
	}

	/**
	 * A form with one button.
	 *
	 * @param string $inputs Its fields, as HTML.
	 * @param string $label  What the button says.
	 * @return string HTML.
	 */
	private function form( string $inputs, string $label ): string {
		return '<form method="post" action="' . esc_url( $this->endpoint ) . '" autocomplete="off">'
			. $inputs . '<button class="button main" type="submit">' . self::html( $label ) . '</button></form>';
	}

	/**
	 * The fields of a form.
	 *
	 * @param Gatepass_Handoff|null $handoff The token.
	 * @param Gatepass_Attempt|null $attempt The attempt.
	 * @param array<string,string>  $more    More fields. `repost` says that this repeats a foreign page's POST, once,
	 *                                       so that a site which does not know its own origin does not go round for
	 *                                       ever; `bound` whether the arrival has been through the start; `leaving`
	 *                                       whose place it takes.
	 * @return string HTML.
	 */
	private function inputs( ?Gatepass_Handoff $handoff, ?Gatepass_Attempt $attempt, array $more = array() ): string {
		$fields = array(
			'token'   => null === $handoff ? '' : $handoff->token(),
			'attempt' => null === $attempt ? '' : $attempt->text(),
		) + $more;
		$html   = '';
		foreach ( $fields as $name => $value ) {
			$html .= '<input type="hidden" name="' . esc_attr( $name ) . '" value="' . esc_attr( $value ) . '">';
		}
		return $html;
	}

	/**
	 * A hash as a content security policy names it.
	 *
	 * @param string $text Content of a style or script element.
	 * @return string
	 */
	private static function hash( string $text ): string {
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- CSP level 2 wants it.
		return 'sha256-' . base64_encode( hash( 'sha256', $text, true ) );
	}
}
