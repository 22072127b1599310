<?php
/**
 * Plugin Name:       Gatepass
 * Description:       Customers sign in with one click from your subscription panel, without a password and only while their membership is active.
 * Version:           0.1.0
 * Requires at least: 6.1
 * Requires PHP:      7.4
 * Author:            The Gatepass authors
 * License:           GPL-2.0-or-later
 * License URI:       https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:       gatepass
 * Domain Path:       /languages
 *
 * @package Gatepass
 */

defined( 'ABSPATH' ) || exit;

define( 'GATEPASS_VERSION', '0.1.0' );
define( 'GATEPASS_FILE', __FILE__ );
define( 'GATEPASS_DIR', __DIR__ );

require_once __DIR__ . '/includes/autoload.php';

( new Gatepass_Plugin() )->boot();
