<?php
/**
 * What the block's script in the editor needs, as WordPress's own tools would write it.
 *
 * @package Gatepass
 */

return array(
	'dependencies' => array( 'wp-block-editor', 'wp-blocks', 'wp-components', 'wp-element', 'wp-i18n', 'wp-server-side-render' ),
	'version'      => '0.1.0',
);
