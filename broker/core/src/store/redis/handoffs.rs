//! Handoffs in Redis.

use async_trait::async_trait;
use gatepass_keys::KeyId;

use super::{Redis, from_json, keys, limited, members, parsed, required, to_json};
use crate::clock::Timestamp;
use crate::event::Context;
use crate::handoff::{
    ATTEMPT_WINDOW, Details, Handoff, Intent, Issuance, NewHandoff, Outcome, Presented, RECORD_RETENTION,
    Redeemed, Redemption, Refusal, Revocation,
};
use crate::id::{HandoffId, SiteId};
use crate::store::{Handoffs, OutcomeReport, Result, corrupt};
use crate::trail::Trail;

/// What a handoff's hash answers, in the order of [`FIELDS`].
type Fields = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);
const FIELDS: [&str; 7] =
    ["subject", "issued_at", "expires_at", "spent_at", "revoked_at", "details", "outcome"];

fn time(text: Option<&str>) -> Result<Option<Timestamp>> {
    text.map(|text| parsed(text).map(Timestamp::from_millis)).transpose()
}

fn handoff(id: HandoffId, fields: &Fields) -> Result<Option<Handoff>> {
    let (subject, issued_at, expires_at, spent_at, revoked_at, details, outcome) = fields;
    let Some(subject) = subject else { return Ok(None) };
    Ok(Some(Handoff {
        id,
        subject: parsed(subject)?,
        issued_at: required(time(issued_at.as_deref())?, "issued_at")?,
        expires_at: required(time(expires_at.as_deref())?, "expires_at")?,
        redeemed_at: time(spent_at.as_deref())?,
        revoked_at: time(revoked_at.as_deref())?,
        actor: from_json::<Details>(required(details.as_deref(), "details")?)?.actor,
        outcome: outcome.as_deref().map(from_json).transpose()?,
    }))
}

#[async_trait]
impl Handoffs for Redis {
    async fn issue(&self, site: SiteId, handoff: &NewHandoff, context: &Context) -> Result<Issuance> {
        let retention =
            handoff.issued_at.age_at(handoff.expires_at.plus(RECORD_RETENTION)).as_millis().to_string();
        let named = context.naming(handoff.details.actor.as_ref());
        let mut call = Self::call(&self.scripts.issue, site, handoff.issued_at, &named)?;
        call.key(keys::handoff(site, handoff.id))
            .key(keys::member(site, &handoff.subject))
            .key(keys::revoked_keys(site))
            .arg(handoff.id.to_string())
            .arg(handoff.subject.as_str())
            .arg(retention)
            .arg(handoff.token_hash.to_base64url())
            .arg(handoff.kid.as_str())
            .arg(handoff.expires_at.millis())
            .arg(handoff.redeemable_until().millis())
            .arg(handoff.binding.as_deref().unwrap_or_default())
            .arg(to_json(&handoff.details)?);
        let limits = self.limits;
        let buckets =
            [limits.handoffs_of(&handoff.subject), limits.handoffs_by(context), limits.in_vain_by(context)];
        Self::count(&mut call, site, buckets);
        let answer: Vec<String> = self.run(&call).await?;
        let at = |index: usize| answer.get(index).map(String::as_str);
        match (required(at(0), "answer")?, at(1)) {
            ("issued", _) => Ok(Issuance::Issued),
            ("limited", cause) => limited(cause, at(2)).map(Issuance::Limited),
            ("site_not_found", _) => Ok(Issuance::SiteNotFound),
            ("key_revoked", _) => Ok(Issuance::KeyRevoked),
            ("refused", Some("member_not_found")) => Ok(Issuance::MemberNotFound),
            ("refused", Some("membership_inactive")) => Ok(Issuance::MembershipInactive),
            (other, _) => Err(corrupt(format!("issue answered {other}"))),
        }
    }

    async fn redeem(
        &self,
        site: SiteId,
        presented: &Presented,
        now: Timestamp,
        context: &Context,
    ) -> Result<Redemption> {
        let mut call = Self::call(&self.scripts.redeem, site, now, context)?;
        call.key(keys::handoff(site, presented.id))
            .key(keys::member(site, &presented.subject))
            .key(keys::revoked_keys(site))
            .arg(presented.id.to_string())
            .arg(presented.subject.as_str())
            .arg(presented.token_hash.to_base64url())
            .arg(presented.kid.as_str())
            .arg(&presented.attempt_hash)
            .arg(presented.binding.as_deref().unwrap_or_default())
            .arg(ATTEMPT_WINDOW.as_millis().to_string())
            .arg(match presented.intent {
                Intent::Spend => "spend",
                Intent::Preview => "preview",
            });
        let (limits, id) = (self.limits, presented.id);
        Self::count(
            &mut call,
            site,
            [limits.tries_of(id), limits.tries_from(context), limits.answers_of(id, presented.intent)],
        );
        call.arg(if presented.must_be_bound { "bound" } else { "" }).arg(if presented.must_be_asked {
            "asked"
        } else {
            ""
        });
        let answer: Vec<Option<String>> = self.run(&call).await?;
        let at = |index: usize| answer.get(index).and_then(Option::as_deref);
        let what = required(at(0), "answer")?;
        if what == "refused" {
            let cause = required(at(1), "cause")?;
            let refusal = Refusal::from_cause(cause).ok_or_else(|| corrupt(format!("cause {cause}")))?;
            return Ok(Redemption::Refused(refusal));
        }
        if what == "limited" {
            return limited(at(1), at(2)).map(Redemption::Limited);
        }
        let redeemed = Box::new(Redeemed {
            id: presented.id,
            details: from_json(required(at(1), "details")?)?,
            epoch: required(at(2), "epoch")?.to_owned(),
            member: members::member(&presented.subject, answer.get(3..).unwrap_or_default())?,
        });
        match what {
            "redeemed" => Ok(Redemption::Redeemed(redeemed)),
            "repeated" => Ok(Redemption::Repeated(redeemed)),
            "previewed" => Ok(Redemption::Previewed(Box::new((*redeemed).into()))),
            other => Err(corrupt(format!("redeem answered {other}"))),
        }
    }

    async fn handoff(&self, site: SiteId, id: HandoffId) -> Result<Option<Handoff>> {
        let mut connection = self.connection();
        let key = keys::handoff(site, id);
        let (fields, kid): (Fields, Option<String>) =
            ::redis::pipe().hmget(&key, &FIELDS).hget(&key, "kid").query_async(&mut connection).await?;
        let Some(mut found) = handoff(id, &fields)? else { return Ok(None) };
        let (of_subject, of_site, of_key): (Option<i64>, Option<i64>, Option<i64>) = ::redis::pipe()
            .hget(keys::member(site, &found.subject), "not_before")
            .hget(keys::state(&Trail::Site(site)), "not_before")
            .hget(keys::revoked_keys(site), kid.unwrap_or_default())
            .query_async(&mut connection)
            .await?;
        let not_before = of_subject.max(of_site).map(Timestamp::from_millis);
        found.voided_by(not_before, of_key.map(Timestamp::from_millis));
        Ok(Some(found))
    }

    async fn revoke_handoff(
        &self,
        site: SiteId,
        id: HandoffId,
        now: Timestamp,
        context: &Context,
    ) -> Result<Revocation> {
        let mut call = Self::call(&self.scripts.revoke_handoff, site, now, context)?;
        call.key(keys::handoff(site, id)).arg(id.to_string());
        let fields: Fields = self.run_durably(&call).await?;
        Ok(match handoff(id, &fields)? {
            None => Revocation::NotFound,
            Some(handoff) if handoff.redeemed_at.is_some() => Revocation::AlreadyRedeemed(handoff),
            Some(handoff) => Revocation::Revoked(handoff),
        })
    }

    async fn revoke_key(&self, site: SiteId, kid: &KeyId, now: Timestamp, context: &Context) -> Result<()> {
        let mut call = Self::call(&self.scripts.revoke_key, site, now, &context.noting(kid.as_str()))?;
        call.key(keys::revoked_keys(site)).arg(kid.as_str());
        self.run_durably(&call).await
    }

    async fn report_outcome(
        &self,
        site: SiteId,
        id: HandoffId,
        outcome: &Outcome,
        now: Timestamp,
        context: &Context,
    ) -> Result<OutcomeReport> {
        let (kind, cause) = outcome.event();
        let mut call = Self::call(&self.scripts.report_outcome, site, now, context)?;
        call.key(keys::handoff(site, id))
            .arg(id.to_string())
            .arg(to_json(outcome)?)
            .arg(kind.as_str())
            .arg(cause);
        match self.run::<String>(&call).await?.as_str() {
            "recorded" => Ok(OutcomeReport::Recorded),
            "already_recorded" => Ok(OutcomeReport::AlreadyRecorded),
            "not_redeemed" => Ok(OutcomeReport::NotRedeemed),
            other => Err(corrupt(format!("report_outcome answered {other}"))),
        }
    }

    async fn sweep(&self, _now: Timestamp) -> Result<u64> {
        Ok(0)
    }
}
