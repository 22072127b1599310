/**
 * The block "Member login" in the editor: the form as the site renders it, and where it leads.
 */
( function ( wp ) {
	'use strict';

	var el = wp.element.createElement;
	var __ = wp.i18n.__;

	function edit( props ) {
		var settings = el(
			wp.blockEditor.InspectorControls,
			null,
			el(
				wp.components.PanelBody,
				{ title: __( 'After logging in', 'gatepass' ) },
				el( wp.components.TextControl, {
					label: __( 'Go to', 'gatepass' ),
					help: __( 'An address of this site, like /members/. Empty: stay on the page.', 'gatepass' ),
					value: props.attributes.redirectTo,
					onChange: function ( value ) {
						props.setAttributes( { redirectTo: value } );
					},
					__nextHasNoMarginBottom: true,
					__next40pxDefaultSize: true,
				} )
			)
		);
		var form = el( wp.serverSideRender, {
			block: 'gatepass/login',
			attributes: props.attributes,
			skipBlockSupportAttributes: true,
		} );
		return el(
			wp.element.Fragment,
			null,
			settings,
			el( 'div', wp.blockEditor.useBlockProps(), el( wp.components.Disabled, null, form ) )
		);
	}

	wp.blocks.registerBlockType( 'gatepass/login', {
		edit: edit,
		save: function () {
			return null;
		},
	} );
} )( window.wp );
