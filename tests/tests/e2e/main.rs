//! End to end, in a real browser against a real WordPress.

mod attempts;
mod bound;
mod bridge;
mod browser;
mod click;
mod damage;
mod faults;
mod floods;
mod forgeries;
mod harness;
mod hostile;
mod identity;
mod limits;
mod outbound;
mod panel_api;
mod plugin;
mod preview;
mod proxies;
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
        bound::with_a_start_at_the_panel_every_handoff_must_be_bound,
        bound::an_operator_sets_and_takes_away_the_start_at_the_command_line,
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
        preview::a_preview_tells_who_it_would_be_and_spends_nothing,
        preview::a_refused_preview_tells_no_name_and_spends_nothing,
        hostile::no_hostile_request_to_the_panel_api_does_anything,
        hostile::no_hostile_address_or_header_does_anything,
        hostile::no_hostile_request_to_the_bridge_does_anything,
        plugin::a_field_of_any_size_is_refused_at_once,
        plugin::what_a_deleted_user_left_behind_is_nobody,
        plugin::a_ticked_role_that_is_not_there_can_be_seen,
        plugin::a_pairing_that_cannot_work_is_refused_in_words_before_anything_is_sent,
    ],
    alone: [
        serve::it_starts_with_no_configuration_and_keeps_its_folder_to_itself,
        serve::a_taken_port_an_unusable_folder_and_a_missing_redis_are_told_plainly,
        serve::a_wrong_call_says_what_would_be_right_and_repeats_no_secret,
        serve::a_flag_counts_before_the_environment_before_the_file,
        serve::stdout_has_only_what_a_program_reads,
        serve::a_stop_finishes_what_is_in_flight,
        serve::a_stop_under_load_fails_no_request,
        serve::a_stop_ends_no_connection_to_redis_that_is_in_use,
        serve::panels_and_sites_can_have_an_address_each,
        damage::killed_while_redeeming_it_brings_no_spent_token_back,
        damage::a_full_disk_is_a_503_and_loses_nothing,
        damage::a_folder_that_cannot_be_written_is_told_plainly,
        damage::a_damaged_file_is_refused_at_start_and_left_alone,
        damage::a_file_that_another_program_holds_is_told_plainly,
        limits::whoever_asks_too_often_is_told_when_to_ask_again,
        limits::an_attacker_on_everybodys_address_locks_nobody_out,
        outbound::a_site_at_a_private_address_is_not_called_unless_its_operator_allows_it,
        outbound::a_panel_registers_no_site_at_a_private_address,
        proxies::the_clients_address_is_the_peers_unless_a_trusted_proxy_says_another,
        floods::whoever_keeps_gatepass_waiting_is_disconnected,
        floods::a_request_of_any_form_has_a_plain_end,
        floods::idle_connections_lock_nobody_out,
        floods::slow_bodies_lock_nobody_out,
        floods::more_work_than_can_be_done_is_shed_and_health_is_answered,
        floods::pipelined_requests_are_answered_in_order_up_to_a_bound,
        forgeries::forged_stale_and_foreign_tokens_cost_no_store_access,
        forgeries::strangers_who_invent_names_neither_load_the_store_nor_lock_anybody_out,
        harness::wordpress_boots_and_an_administrator_logs_in_with_a_password,
        faults::while_the_store_is_paused_the_page_is_a_503_and_the_same_attempt_works_afterwards,
        faults::the_button_on_the_temporary_page_repeats_the_attempt,
        faults::after_a_restart_of_the_store_the_page_says_ask_again_and_a_new_click_works,
        faults::with_gatepass_gone_the_page_is_a_503_and_passwords_still_work,
        faults::restarting_gatepass_fails_no_login_that_was_issued_before,
        faults::the_owner_can_switch_it_off_and_on,
        faults::a_site_whose_clock_is_wrong_logs_in_all_the_same,
        plugin::a_login_under_way_undoes_nothing_that_the_owner_does_meanwhile,
        plugin::a_lost_answer_to_a_pairing_is_asked_for_again_with_the_same_code,
        plugin::pairing_again_works_though_the_sites_clock_is_wrong,
        plugin::an_account_that_another_plugin_disables_is_not_signed_in,
        plugin::a_second_factor_that_only_takes_the_cookies_back_lets_nobody_in,
        plugin::another_plugins_exception_leaves_neither_a_session_nor_a_lock,
        plugin::a_slow_plugin_holds_up_no_other_new_customer,
        plugin::the_cart_of_the_account_before_is_left,
        plugin::site_health_sees_whether_the_origin_survives,
        plugin::a_bridge_that_is_another_issuer_than_the_code_says_is_refused,
    ],
}
