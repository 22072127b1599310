//! The one table of causes for people: what a cause in the trail means, what the customer saw, and what to do.
//!
//! A cause is a word that programs rely on. This is what it says to whoever answers "why could she not log in?".

/// What a refused customer had before their eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// WordPress: go back to the panel and click again.
    AskAgain,
    /// WordPress: the membership is not in force; renew.
    Membership,
    /// WordPress: something does not work just now.
    Temporary,
    /// Whatever the panel made of the refusal.
    Panel,
    /// Nothing: no customer was there.
    Nothing,
}

impl Seen {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AskAgain => "WordPress's page that asks to go back and click again",
            Self::Membership => {
                "WordPress's page that says that the membership is not in force, with the link to renew"
            }
            Self::Temporary => "WordPress's page that says that signing in does not work at the moment",
            Self::Panel => "what your panel shows when Gatepass refuses",
            Self::Nothing => "nothing: this is no customer's request",
        }
    }
}

/// A cause in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The cause.
    pub cause: &'static str,
    /// What happened.
    pub words: &'static str,
    /// What the customer saw, if it came to light at WordPress.
    pub seen: Seen,
    /// What to do.
    pub hint: &'static str,
}

/// What a cause means; `None` for one that this program does not know.
pub fn explain(cause: &str) -> Option<&'static Explanation> {
    EXPLANATIONS.iter().find(|explanation| explanation.cause == cause)
}

const FORGED: &str = "One alone is a damaged link. Many are somebody trying: nobody can come in by it, but look at where \
                      they come from.";
const CLOCK: &str = "Compare the clocks of the machines that run Gatepass.";
const ANEW: &str = "Have the customer click the button in the panel again.";
const ACCOUNT: &str = "Look at the user in WordPress, and at what the owner allows under Settings, Gatepass.";
const PATIENCE: &str = "It passes by itself: wait a minute and try again.";

macro_rules! explanations {
    ($($seen:ident { $($cause:literal $words:literal $hint:expr;)+ })+) => {
        /// All there are.
        pub const EXPLANATIONS: &[Explanation] = &[$($(
            Explanation { cause: $cause, words: $words, seen: Seen::$seen, hint: $hint },
        )+)+];
    };
}

explanations! {
    AskAgain {
        "no_record" "The store knows nothing of this login any more, or never did: it was issued more than an hour ago, \
            or the store was emptied." "Have the customer click again. If it happens often, look at whether Redis lost its data.";
        "mismatch" "There is a login of this number, but this is not the token that was issued for it." FORGED;
        "superseded" "The store changed over to another server, or restarted, between the click and the login; tokens \
            from before are void for safety." ANEW;
        "used" "The link had been used already: by another click, in another tab, or by somebody else."
            "Look at the redemption before this one. If that was somebody else, the link was in other hands: end the \
             sessions, and bind handoffs to the browser (panel_start_url).";
        "revoked" "It was taken back before it was used: by the panel, by pairing the site anew, or with its signing key."
            "Look at what was revoked just before, and by whom.";
        "expired" "It came too late: the link lives as long as the site's token lifetime says, 60 seconds by default."
            "Have the customer click again. If it happens often, the panel makes the link too early: it must ask at the click.";
        "not_asked" "It was issued before the panel had to be asked whether the membership is in force." ANEW;
        "binding_mismatch" "The link belongs to another browser than the one that opened it."
            "Have the customer click in the browser that is to be signed in. If that was so, cookies are blocked there, or \
             somebody else sent the link.";
        "too_long" "The token is longer than any of ours." FORGED;
        "segments" "This is no token: it does not have three parts." FORGED;
        "base64" "This is no token: a part of it cannot be decoded." FORGED;
        "json" "This is no token: a part of it is not JSON." FORGED;
        "not_an_object" "This is no token: a part of it is not a JSON object." FORGED;
        "duplicate_member" "This is no token of ours: it says something twice." FORGED;
        "too_deep" "This is no token of ours: its JSON is nested too deeply." FORGED;
        "algorithm" "This is no token of ours: it names another algorithm." FORGED;
        "type" "This is a token of another kind." FORGED;
        "critical_extension" "This is no token of ours: it demands an extension." FORGED;
        "key_id" "This is no token of ours: it names no key." FORGED;
        "signature_length" "This is no token of ours: its signature has another length." FORGED;
        "unknown_key" "It was signed with a key that this Gatepass does not have."
            "If there are several Gatepass, they need the same keyring folder. Else somebody tried a token of their own.";
        "signature" "The signature does not hold: the token was changed on its way, or forged." FORGED;
        "missing_claim" "The token lacks something that ours have." FORGED;
        "claim_type" "Something in the token is of another type than in ours." FORGED;
        "claim_form" "Something in the token is not written as in ours." FORGED;
        "issuer" "The token is from another issuer."
            "If the public URL was changed, pair the site again; running links from before are void.";
        "subject" "The token is about somebody else." FORGED;
        "audience" "The token is for another site."
            "If the site was copied (staging, moved), the copy must be registered and paired by itself.";
        "expiry_too_far_ahead" "The token ends later than any of ours may." CLOCK;
        "issued_in_the_future" "The token comes from the future." CLOCK;
        "expiry_before_issue" "The token ends before it begins." FORGED;
        "lifetime_too_long" "The token lives longer than any of ours may." FORGED;
        "token_invalid" "This is no good token for this site. Either WordPress saw that by itself (damaged, forged, or for \
            another site), or Gatepass did, which only counts such tokens (an unknown key, another issuer, a signature that \
            does not hold and the like)."
            "Have the customer click again. If it goes on, look at the causes in gatepass_redemptions_total, and compare \
             the site's id in the panel with the one in WordPress under Settings, Gatepass.";
        "handoff_invalid" "WordPress saw by itself that this is no token for this site, or no attempt of its own page." ANEW;
        "attempt_invalid" "What was posted did not come from WordPress's own landing page." ANEW;
        "token_expired" "The link came too late: it lives as long as the site's token lifetime says, 60 seconds by default."
            "Have the customer click again. If it happens often, the panel makes the link too early: it must ask at the \
             click.";
        "binding_absent" "The browser did not bring the cookie that the login was started with: cookies are blocked, or \
            the link was opened in another browser than the one that started." "Have the customer click in one and the same \
            browser, with cookies allowed for the site.";
        "session_ended" "The session that this link made had been signed out of again; a link brings none back." ANEW;
        "paired_anew" "The site was paired anew in the middle of the login." ANEW;
    }
    Membership {
        "membership_inactive" "The membership was not in force." "Look at member.changed before it, and at what the panel \
            last put: status, valid_until, grace_until.";
    }
    Temporary {
        "store_unavailable" "The store did not answer Gatepass." "Look at Redis (or the disk), and at Gatepass's log.";
        "membership_unknown" "The panel was asked whether the membership is in force, and gave no answer that Gatepass \
            understands within two seconds." "Look at the note, at the panel's page behind membership_url, and at whether \
            it takes Gatepass's keys of now.";
        "limit_api_key" "The panel's API key asked more often than it may."
            "Look for a loop in the panel; the limit is --limit-api-key.";
        "limit_member" "Logins were asked for this customer more often than they may be."
            "Look for a loop in the panel, or a nervous finger; the limit is --limit-member.";
        "limit_token" "The same link was tried again and again." "The limit is --limit-token. A good link still works.";
        "limit_address" "From this address too many logins failed."
            "Look at what fails before it; the limit is --limit-address. A good link still works. Behind a proxy, \
             --trusted-proxy must name it, or everybody shares one address.";
        "limit_site" "The site said something new of itself more often than it may."
            "Look at what changes there, or whether its key is in other hands; then pair it again.";
        "account_privileged" "The WordPress user may do more than the owner lets members do: such accounts are never \
            signed in to by a link." ACCOUNT;
        "account_blocked" "WordPress or another plugin blocks this user." "Look at the user in WordPress, and at \
            plugins that disable or approve accounts.";
        "account_not_on_blog" "The WordPress user exists in the network, but not on this site." ACCOUNT;
        "email_taken" "Another WordPress user has this e-mail address already; accounts are not joined by address."
            "Change the address of one of the two, in WordPress or in the panel.";
        "username_taken" "Another WordPress user has this user name already."
            "Put the member with another username, or none.";
        "email_invalid" "WordPress does not take this e-mail address."
            "Put the member with another address; what is no address for WordPress its function is_email() tells.";
        "heir_missing" "The user to whom the content of deleted members goes is not there any more; nothing was deleted."
            "Have the owner choose another one under Settings, Gatepass, and try again (gatepass member sync).";
        "role_not_allowed" "None of the member's roles is one that the owner allows."
            "Compare the member's roles with those ticked in WordPress under Settings, Gatepass.";
        "support_forbidden" "The site's owner does not let support staff sign in on a customer's behalf."
            "Ask the owner: Settings, Gatepass in WordPress. No session was made.";
        "internal" "WordPress itself failed." "Look into WordPress's debug log at that time.";
        "busy" "WordPress was already signing this customer in." PATIENCE;
        "bridge_answered_nonsense" "What answered WordPress in Gatepass's place was not Gatepass."
            "Look for a proxy or a maintenance page in front of the bridge's URL.";
        "bridge_unreachable" "Gatepass did not answer this WordPress in time."
            "Look at Gatepass's log at that time, and whether this WordPress reaches the bridge's URL (Tools, Site Health).";
        "origin_mismatch" "The browser's request did not say that it came from the site itself."
            "A proxy or plugin may strip the Origin header, or the site has two addresses: see Tools, Site Health.";
        "origin_unknown" "WordPress does not know its own address." "Look at WordPress Address under Settings, General.";
        "start_not_set_up" "The site does not know where the panel starts a login." "Set it: gatepass site set ID \
            --panel-start-url URL. The site hears of it within the hour, or with the next login.";
        "overloaded" "Gatepass had more requests at a time than it takes." "Look at its load; see --max-requests.";
        "rate_limited" "A link, an address or a customer was tried too often." PATIENCE;
        "site_proof_invalid" "Gatepass did not believe that the request came from this site." "Was the site removed, or \
            paired again by another WordPress (a copy)? Pair it again.";
        "site_proof_expired" "The site's clock is wrong, and Gatepass's answer did not tell it the right time."
            "Set the clock of the web server; see whether a proxy strips the Date header.";
        "not_paired" "The site was not paired with any Gatepass." "Make a code with gatepass site pairing-code, and paste \
            it in WordPress under Settings, Gatepass.";
        "site_is_a_copy" "This WordPress has another address than the one that the site is registered under: it is a \
            copy, or the site has moved." "Pair the copy by itself, or unpair it. If the site has moved, register its new \
            address, or correct it in WordPress under Settings, General; it works again after the next heartbeat.";
        "switched_off" "The site's owner has switched Gatepass off there." "Settings, Gatepass in WordPress.";
    }
    Panel {
        "member_not_found" "The panel asked for a login of somebody whom it had never put."
            "PUT the member first, or look whether the panel uses another customer number.";
    }
    Nothing {
        "all_of_subject" "Everything that was issued for this customer up to then was taken back." "It is no fault.";
        "code_invalid" "The pairing code was unknown, used, or older than 30 minutes."
            "Make a new one: gatepass site pairing-code.";
        "challenge_failed" "The registered address did not answer the challenge as the plugin does."
            "Look at the note: a page cache, a redirect or a security plugin may stand in between.";
        "replace_required" "The site is paired already, and the old key was not shown."
            "If this is meant to be: gatepass site pairing-code --replace.";
        "key_superseded" "The site's key was to be renewed by one that is not its key any more."
            "Did two processes renew at once, the first has won, and all is well. Else a key of before may be in other \
             hands: it ends within the hour; to end it at once: gatepass site revoke-key.";
        "identity_conflict" "The site says that it has another address than the registered one."
            "Register that address, or correct it in WordPress under Settings, General.";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::change::SyncError;
    use crate::handoff::Refusal;
    use crate::limit::Bucket;
    use crate::reference::LOCAL_CAUSES;

    #[test]
    fn every_cause_of_the_store_of_a_site_and_of_a_reference_is_explained_once() {
        let explained: HashSet<_> = EXPLANATIONS.iter().map(|explanation| explanation.cause).collect();
        assert_eq!(explained.len(), EXPLANATIONS.len());
        let causes = Refusal::ALL.into_iter().map(Refusal::cause);
        let causes = causes.chain(Bucket::ALL.into_iter().map(Bucket::cause));
        let causes = causes.chain(SyncError::CODES);
        for cause in causes.chain(LOCAL_CAUSES.into_iter().map(|(_, cause)| cause)) {
            assert!(explained.contains(cause), "{cause}");
        }
    }

    #[test]
    fn an_explanation_is_made_of_sentences() {
        for Explanation { cause, words, hint, .. } in EXPLANATIONS {
            for text in [words, hint] {
                assert!(text.ends_with('.') && !text.contains("  "), "{cause}: {text}");
            }
        }
    }
}
