//! Broker and bridge as processes of their own, on a real Redis.

mod fetching;
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
    ],
}
