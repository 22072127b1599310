<?php
/**
 * Runs the PHP on the standard input with WordPress loaded: php eval.php WWW. For the end-to-end tests.
 */

require __DIR__ . '/bootstrap.php';

// phpcs:ignore Squiz.PHP.Eval.Discouraged -- That is what it is for.
eval( stream_get_contents( STDIN ) );
