<?php
/**
 * What the plugin's readers make of any input, for comparison with Gatepass's own. No WordPress.
 *
 *     php wp-bridge/plugin/tests/verdicts.php SITE_ID JWKS
 *
 * takes a line an input on its standard input, a letter for the reader and the input behind it, escaped as C does; it
 * answers each with a line: `+` and what was read as JSON, `-` for refused, or `!` and what PHP had to say.
 *
 * @package Gatepass
 */

require __DIR__ . '/bootstrap.php';

const TOKEN   = 't';
const PAIRING = 'p';
const ANSWER  = 'a';
const TARGET  = 'r';

/**
 * Reads an input.
 *
 * @param string           $reader  Which reader.
 * @param string           $input   Any bytes.
 * @param Gatepass_Key_Set $keys    The pinned keys.
 * @param string           $site_id Our id.
 * @return array<string,mixed>|null What was read; null if it was refused.
 * @throws InvalidArgumentException For no such reader.
 */
function read_input( string $reader, string $input, Gatepass_Key_Set $keys, string $site_id ): ?array {
	switch ( $reader ) {
		case TOKEN:
			$handoff = Gatepass_Handoff::verify( $input, $keys, $site_id );
			return null === $handoff ? null : array( 'same' => $handoff->token() === $input );
		case PAIRING:
			$pairing = Gatepass_Pairing_String::parse( $input );
			return null === $pairing ? null : array(
				'bridge' => $pairing->bridge(),
				'site'   => $pairing->site_id(),
				'issuer' => $pairing->issuer(),
				'hash'   => $pairing->hash(),
			);
		case ANSWER:
			$answer = Gatepass_Answer::from_response(
				array(
					'code'    => 400,
					'headers' => array(
						'date'        => substr( $input, 0, 40 ),
						'retry-after' => substr( $input, 0, 3 ),
					),
					'body'    => $input,
				)
			);
			$answer->refusal();
			$answer->first_mistake();
			$answer->detail();
			new Gatepass_Policy( $answer->members()['policy'] ?? null );
			Gatepass_Key_Set::from_jwks( $answer->members()['keys'] ?? null );
			return null === Gatepass_Json::object( $input ) ? null : array();
		case TARGET:
			$url = ( new Gatepass_Redirects( array( 'https://example.com/blog/' ) ) )->on_site( $input );
			return null === $url ? null : array( 'url' => $url );
	}
	throw new InvalidArgumentException( 'no such reader' );
}

$site_id = (string) ( $argv[1] ?? '' );
$keys    = Gatepass_Key_Set::from_jwks( json_decode( (string) ( $argv[2] ?? '' ), true ) );
if ( null === $keys ) {
	fwrite( STDERR, "usage: verdicts.php SITE_ID JWKS\n" );
	exit( 2 );
}
while ( true ) {
	$line = fgets( STDIN );
	if ( false === $line ) {
		break;
	}
	$line = rtrim( $line, "\n" );
	try {
		$members = read_input( substr( $line, 0, 1 ), stripcslashes( substr( $line, 1 ) ), $keys, $site_id );
		$verdict = null === $members ? '-' : '+' . json_encode( $members, JSON_THROW_ON_ERROR | JSON_FORCE_OBJECT | JSON_INVALID_UTF8_SUBSTITUTE );
	} catch ( Throwable $failure ) {
		$verdict = '!' . str_replace( "\n", ' ', $failure->getMessage() ) . ' at ' . basename( $failure->getFile() ) . ':' . $failure->getLine();
	}
	fwrite( STDOUT, $verdict . "\n" );
}
