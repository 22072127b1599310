<?php
/**
 * Pairs a site as its owner would: signs in with the password, opens Settings → Gatepass, pastes the code, presses
 * the button. Over HTTP only. php pair.php URL USER, and on the standard input two lines: password, pairing code.
 */

list( , $url, $user ) = $argv;
$password             = rtrim( fgets( STDIN ), "\n" );
$code                 = trim( fgets( STDIN ) );
$browser              = curl_init();
curl_setopt_array(
	$browser,
	array(
		CURLOPT_RETURNTRANSFER => true,
		CURLOPT_FOLLOWLOCATION => true,
		// An empty name switches the cookies on and keeps them in memory.
		CURLOPT_COOKIEFILE     => '',
		CURLOPT_TIMEOUT        => 30,
		CURLOPT_PROXY          => '',
	)
);

function fail( $message ) {
	fwrite( STDERR, $message . "\n" );
	exit( 1 );
}

function ask( $address, ?array $fields = null ) {
	global $browser;
	curl_setopt( $browser, CURLOPT_URL, $address );
	curl_setopt( $browser, CURLOPT_HTTPGET, true );
	if ( null !== $fields ) {
		curl_setopt( $browser, CURLOPT_POST, true );
		curl_setopt( $browser, CURLOPT_POSTFIELDS, http_build_query( $fields ) );
	}
	$html = curl_exec( $browser );
	if ( false === $html ) {
		fail( "$address: " . curl_error( $browser ) );
	}
	return $html;
}

function elements( $html, $path ) {
	libxml_use_internal_errors( true );
	$page = new DOMDocument();
	$page->loadHTML( '<?xml encoding="utf-8">' . $html );
	return ( new DOMXPath( $page ) )->query( $path );
}

// The first visit leaves the cookie by which WordPress sees that cookies work.
ask( "$url/wp-login.php" );
ask( "$url/wp-login.php", array( 'log' => $user, 'pwd' => $password, 'testcookie' => '1' ) );

$page  = ask( "$url/wp-admin/options-general.php?page=gatepass" );
$forms = elements( $page, '//form[.//textarea[@name="pairing_code"]]' );
if ( 1 !== $forms->length ) {
	fail( 'There is no form for a pairing code at ' . curl_getinfo( $browser, CURLINFO_EFFECTIVE_URL ) );
}
$form   = $forms->item( 0 );
$fields = array( 'pairing_code' => $code );
foreach ( $form->getElementsByTagName( 'input' ) as $input ) {
	$fields[ $input->getAttribute( 'name' ) ] = $input->getAttribute( 'value' );
}
$answer = ask( $form->getAttribute( 'action' ), $fields );

$said = array();
foreach ( elements( $answer, '//*[contains(concat(" ", @class, " "), " settings-error ")]' ) as $notice ) {
	$said[] = trim( preg_replace( '/\s+/', ' ', $notice->textContent ) );
}
$said = implode( ' ', $said );
if ( 0 === elements( $answer, '//*[contains(@class, "settings-error") and contains(@class, "notice-success")]' )->length ) {
	fail( '' === $said ? 'The settings page did not say that the site is paired.' : $said );
}
echo $said, "\n";
