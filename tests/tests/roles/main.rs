//! Broker and bridge as processes of their own, on a real Redis.

mod fetching;
mod sharing;
mod world;

gatepass_tests::run! {
    shared: [],
    alone: [
        fetching::a_bridge_redeems_without_a_private_key,
        fetching::invented_key_ids_cost_one_fetch_a_second_and_hide_no_fresh_key,
        fetching::a_bridge_goes_on_while_the_broker_is_away,
        fetching::what_is_no_key_set_of_the_issuer_changes_nothing,
        fetching::a_bridge_that_never_had_keys_says_so,
        fetching::the_published_keys_are_asked_for_by_their_tag,
        fetching::a_role_says_what_it_needs,
        sharing::a_bridge_follows_a_rotation_without_a_private_key,
        sharing::the_schedule_publishes_promotes_and_removes,
        sharing::of_two_brokers_on_one_keyring_one_rotates_and_the_other_signs_with_the_new_key,
        sharing::a_broker_with_an_old_copy_says_so_and_signs_nothing,
        sharing::a_keyring_that_cannot_be_read_verifies_and_signs_nothing,
        sharing::a_revocation_that_nobody_finished_is_finished_by_a_broker,
        sharing::no_token_lives_longer_than_the_operator_lets_it,
        sharing::a_key_that_is_revoked_on_the_site_is_replaced_before_anything_is_issued,
        sharing::a_site_gets_the_signed_sets_that_lead_from_its_own_to_the_present_one,
        sharing::a_machine_without_the_keyring_makes_no_pairing_code_and_no_keyring,
        sharing::a_pairing_code_of_before_a_rotation_still_pairs,
        sharing::no_other_process_of_the_user_looks_into_the_keys,
    ],
}
