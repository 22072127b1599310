//! End to end, in a real browser against a real WordPress.

mod attempts;
mod bridge;
mod browser;
mod click;
mod faults;
mod harness;
mod identity;
mod panel_api;
mod refusals;
mod serve;

gatepass_tests::run! {
    shared: [
        bridge::a_pairing_code_works_once_and_only_whole,
        bridge::whoever_has_the_code_but_not_the_site_pairs_nothing,
        bridge::pairing_again_needs_the_old_key_or_the_operators_word,
        bridge::a_site_must_prove_who_it_is,
        bridge::a_site_redeems_only_its_own_tokens,
        bridge::pairing_again_voids_tokens_that_are_on_their_way,
        bridge::a_removed_site_is_refused,
        bridge::an_odd_request_of_a_site_is_answered_plainly,
        click::the_click_logs_in_as_the_right_user_on_redirect_to,
        click::exactly_one_session_row_more,
        click::logging_out_ends_it,
        refusals::the_same_token_again_is_refused,
        refusals::an_expired_token_is_refused,
        refusals::a_revoked_token_is_refused,
        refusals::another_sites_token_is_refused,
        refusals::a_tampered_token_is_refused,
        refusals::a_token_signed_by_another_key_is_refused,
        refusals::a_signature_that_holds_without_an_issued_record_is_refused,
        refusals::a_re_signed_token_with_a_live_jti_and_another_sub_is_refused,
        refusals::a_membership_canceled_between_issue_and_redemption_gets_its_page,
        refusals::a_canceled_member_gets_no_token_at_all,
        refusals::odd_forms_are_refused_without_a_php_notice,
        attempts::the_same_attempt_again_is_no_error_and_makes_no_second_row,
        attempts::two_racing_posts_of_one_attempt_make_one_user_and_one_row,
        attempts::of_racing_attempts_exactly_one_is_signed_in,
        attempts::a_session_that_was_logged_out_is_not_brought_back,
        attempts::another_session_of_the_same_customer_stays,
        attempts::a_new_click_in_the_tab_that_shows_a_refusal_works,
        attempts::the_used_link_again_in_the_browser_says_so_and_ends_nothing,
        browser::get_head_and_a_link_preview_spend_nothing,
        browser::a_cross_site_post_spends_nothing_by_itself,
        browser::a_panel_that_posts_the_token_across_sites_still_logs_in,
        browser::an_off_site_redirect_to_never_leaves_the_site,
        browser::the_token_is_nowhere_in_logs_nor_in_the_address_bar,
        identity::an_email_equal_to_the_administrators_never_becomes_the_administrator,
        identity::a_user_name_equal_to_the_administrators_never_becomes_the_administrator,
        identity::a_mapped_user_later_made_administrator_is_refused,
        identity::a_role_above_the_owners_list_is_not_given,
        identity::the_same_customer_is_the_same_user_next_time,
        identity::a_password_login_goes_on_as_before,
        identity::plugins_see_a_normal_login,
        panel_api::another_tenants_api_key_sees_no_such_site,
        panel_api::without_a_live_key_nothing_is_answered,
        panel_api::a_key_does_only_what_its_scope_says,
        panel_api::a_mistake_is_answered_with_its_field,
        panel_api::every_answer_carries_its_request_id,
        panel_api::putting_a_member_twice_changes_nothing_and_if_match_guards,
        panel_api::a_site_is_registered_read_changed_and_removed,
        panel_api::a_body_is_judged_only_after_who_sends_it,
        panel_api::another_method_is_a_405_and_another_path_a_404,
        panel_api::a_time_that_means_nothing_is_refused,
        panel_api::the_trail_tells_a_login_from_issue_to_outcome,
    ],
    alone: [
        serve::it_starts_with_no_configuration_and_keeps_its_folder_to_itself,
        serve::a_taken_port_an_unusable_folder_and_a_missing_redis_are_told_plainly,
        serve::a_wrong_call_says_what_would_be_right_and_repeats_no_secret,
        serve::a_flag_counts_before_the_environment_before_the_file,
        serve::stdout_has_only_what_a_program_reads,
        serve::a_stop_finishes_what_is_in_flight,
        serve::panels_and_sites_can_have_an_address_each,
        harness::wordpress_boots_and_an_administrator_logs_in_with_a_password,
        faults::while_the_store_is_paused_the_page_is_a_503_and_the_same_attempt_works_afterwards,
        faults::the_button_on_the_temporary_page_repeats_the_attempt,
        faults::after_a_restart_of_the_store_the_page_says_ask_again_and_a_new_click_works,
        faults::with_gatepass_gone_the_page_is_a_503_and_passwords_still_work,
        faults::restarting_gatepass_fails_no_login_that_was_issued_before,
        faults::the_owner_can_switch_it_off_and_on,
        faults::a_site_whose_clock_is_wrong_logs_in_all_the_same,
    ],
}
