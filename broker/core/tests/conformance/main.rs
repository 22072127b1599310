//! One suite that every store passes. A case is a function over a [`Stage`]; [`suite!`] makes a test of it for each
//! store. A case that is not listed does not compile cleanly.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::needless_pass_by_value,
    clippy::unused_async,
    reason = "cases are named by a macro, outside test functions, and say in their name what they show"
)]

mod stage;

macro_rules! suite {
    ($($noun:ident { $($case:ident),* $(,)? })*) => {
        $(mod $noun;)*
        mod sqlite {
            $(mod $noun { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    crate::$noun::$case(&crate::stage::Stage::sqlite().await).await;
                }
            )* })*
        }
        mod redis {
            $(mod $noun { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    crate::$noun::$case(&crate::stage::Stage::redis().await).await;
                }
            )* })*
        }
    };
}

suite! {
    redemption {
        a_token_logs_in_once,
        the_same_attempt_gets_the_same_answer_for_15_seconds,
        a_repeated_attempt_is_refused_once_revoked_or_canceled,
        no_record_means_no_login,
        another_token_with_a_live_id_is_refused,
        a_token_from_before_the_primary_changed_is_superseded,
        a_token_of_another_site_has_no_record,
        it_expires_on_the_millisecond,
        it_is_revoked_with_its_handoff_subject_key_or_pairing,
        a_membership_that_ended_since_issue_is_refused,
        it_is_bound_to_its_browser,
        once_a_site_takes_only_bound_handoffs_it_takes_no_other_that_is_on_its_way,
        where_the_panel_is_asked_nothing_is_redeemed_for_which_it_was_not,
        outcomes_are_decided_in_their_order,
        a_refusal_spends_nothing,
        of_64_racers_exactly_one_wins,
        of_64_racing_posts_of_one_attempt_all_get_the_same_answer,
        every_step_writes_its_event,
    }
    preview {
        it_tells_whom_a_redemption_would_let_in_and_spends_nothing,
        it_is_refused_in_the_order_in_which_a_redemption_is,
        a_refused_preview_is_told_to_the_trail,
        it_belongs_to_the_browser_that_the_handoff_is_bound_to,
        of_previews_racing_redemptions_none_lets_anybody_in,
        it_is_counted_for_the_token_and_stops_no_login,
    }
    handoffs {
        issuing_needs_a_member_whose_membership_is_in_force,
        its_state_tells_its_life,
        revoking_twice_is_revoking_once,
        a_clock_that_was_put_back_brings_nothing_void_back,
        a_handoff_that_is_void_already_can_be_revoked,
        a_redeemed_handoff_is_not_revoked,
        what_voids_a_handoff_shows_in_its_state,
        the_first_outcome_stays,
        an_outcome_needs_a_redemption,
        a_record_can_be_read_for_an_hour_after_expiry,
    }
    on_behalf {
        every_event_of_the_handoff_names_who_acts,
        who_was_to_act_is_named_where_nothing_is_issued,
        nobody_is_named_for_a_token_that_is_not_the_records,
        a_customers_own_handoff_names_nobody,
        its_session_is_short_and_not_remembered,
    }
    limits {
        a_member_is_asked_for_only_so_often,
        an_api_key_asks_only_so_often_on_each_site,
        fruitless_tries_of_a_token_are_limited,
        fruitless_tries_from_an_address_are_limited_on_each_site,
        a_good_token_logs_in_however_full_the_buckets_are,
        repeats_of_an_attempt_are_limited,
        what_is_refused_for_one_bucket_does_not_count_in_another,
        shutting_a_member_out_is_never_refused,
        removing_and_ending_sessions_is_never_refused,
        many_members_count_as_one,
        what_an_honest_person_comes_to_is_answered_as_it_is,
        a_clock_that_was_put_back_shuts_nobody_out,
        the_trail_is_told_of_a_full_bucket_once_a_minute,
        all_processes_count_together,
        nothing_is_counted_for_a_site_that_is_not_there,
    }
    members {
        putting_the_same_again_changes_nothing,
        a_revision_grows_with_every_change_of_the_site,
        if_match_compares_the_revision,
        a_subject_is_another_one_on_another_site,
    }
    changes {
        a_site_pulls_what_lies_behind_its_cursor_in_its_order,
        a_page_ends_and_says_that_there_is_more,
        a_cursor_of_another_epoch_or_beyond_the_end_begins_anew,
        an_acknowledgement_counts_for_the_position_of_now,
        nobody_acknowledges_for_another_sites_members,
        the_trail_is_told_of_what_is_new,
        a_site_that_ever_changes_its_mind_does_not_fill_the_trail,
        a_site_hears_of_a_member_that_was_removed,
        a_member_that_was_removed_is_none_to_log_in,
        a_member_is_made_anew_with_the_same_document_too,
        an_errand_takes_a_position_and_no_revision,
        a_report_of_sessions_does_not_hide_how_it_stands,
        reported_sessions_are_kept_for_a_minute_for_whoever_asked,
        members_are_listed_in_the_order_of_their_last_change,
        many_members_are_put_in_their_order,
        how_far_a_site_has_pulled_is_noted,
        how_a_site_is_told_is_kept_beside,
        a_site_is_behind_until_it_has_pulled_everything,
        nobody_takes_away_the_mark_that_another_has_just_made,
        of_many_sites_behind_none_is_missed_for_long,
        after_a_change_of_the_primary_everything_is_pulled_again,
        after_the_store_was_put_back_everything_is_pulled_again,
        a_cursor_that_another_wordpress_was_given_is_none,
        while_others_write_no_change_is_lost,
    }
    sites {
        a_tenant_has_an_origin_once,
        two_tenants_may_have_the_same_origin,
        a_list_is_paged_and_holds_only_its_tenants_sites,
        a_change_of_policy_changes_what_is_there,
        of_racing_changes_of_policy_none_is_lost,
        of_racing_registrations_of_an_origin_one_wins,
        nothing_is_written_for_a_site_that_is_removed,
        removing_a_site_removes_all_that_is_its,
        a_site_that_moves_keeps_all_but_its_pairing,
        a_site_does_not_move_onto_another,
    }
    pairing {
        a_code_pairs_once,
        a_code_ends_after_30_minutes,
        a_new_code_voids_the_one_before,
        of_racing_sites_one_is_paired,
        pairing_again_needs_the_old_key_or_the_operators_word,
        pairing_again_voids_handoffs_issued_before,
    }
    heartbeat {
        what_a_site_says_is_kept_and_the_same_again_every_five_minutes,
        a_landing_page_that_has_moved_is_taken_and_told_to_the_trail,
        a_copy_is_refused_and_told_to_the_trail_once_in_ten_minutes,
        only_the_key_of_the_pairing_is_heard,
        a_site_changes_only_so_often,
        of_racing_heartbeats_one_is_written,
    }
    clients {
        a_client_is_found_by_its_keys_hash,
        revoking_a_client_keeps_the_first_time,
        its_tenants_trail_tells_of_it,
        a_rolled_key_ends_with_its_overlap_and_no_later_than_it_would,
        the_list_tells_when_a_key_was_last_used,
    }
    site_keys {
        both_keys_prove_a_site_for_an_hour,
        a_lost_answer_is_asked_for_again_and_a_stolen_key_takes_nothing,
        of_racing_renewals_one_wins,
        a_revoked_key_ends_the_pairing_and_voids_what_was_issued,
    }
    keyrings {
        the_newest_revision_stays_and_is_told_once,
        of_racing_announcements_each_is_told_once,
        a_key_that_is_revoked_everywhere_opens_and_signs_nothing_anywhere,
        a_site_that_is_registered_meanwhile_refuses_a_revoked_key_too,
    }
    events {
        a_trail_is_ordered_and_paged,
        what_is_too_old_is_swept,
        of_each_trail_the_newest_events_are_kept,
        a_number_is_never_given_twice,
        a_sweep_and_the_writers_do_not_disturb_each_other,
        every_trail_is_listed_once,
        a_page_holds_what_is_looked_for_and_says_how_to_go_on,
        a_page_looks_at_no_more_than_it_may,
        several_trails_are_read_as_one_from_the_newest_back,
        all_of_a_request_or_a_handoff_is_found,
    }
}

mod copy;
mod faults;
mod model;
mod replicas;
mod settings;
mod tls;
mod upgrade;
mod wire;
