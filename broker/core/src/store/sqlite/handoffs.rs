//! Handoffs in `SQLite`.

use async_trait::async_trait;
use gatepass_keys::KeyId;
use rusqlite::{Connection, Transaction, params};

use super::{Emitter, Sqlite, feed, from_json, limits, members, one, parsed, primary, sites, time, to_json};
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::handoff::{
    ATTEMPT_WINDOW, Details, Handoff, Intent, Issuance, NewHandoff, Outcome, Presented, RECORD_RETENTION,
    Redeemed, Redemption, Refusal, Revocation,
};
use crate::id::{HandoffId, SiteId};
use crate::store::{Handoffs, OutcomeReport, Result, corrupt};

fn handoff(connection: &Connection, site: SiteId, id: HandoffId) -> Result<Option<Handoff>> {
    let sql = "SELECT h.subject, h.issued_at, h.expires_at, h.spent_at, h.revoked_at, h.details, h.outcome,
                 max(coalesce(m.not_before, -1), coalesce(s.not_before, -1)), k.revoked_at
               FROM handoffs h JOIN sites s ON s.id = h.site
               LEFT JOIN members m ON m.site = h.site AND m.subject = h.subject
               LEFT JOIN revoked_keys k ON k.site = h.site AND k.kid = h.kid
               WHERE h.site = ? AND h.id = ?";
    one(connection, sql, &[&site.to_string(), &id.to_string()], |row| {
        let mut found = Handoff {
            id,
            subject: parsed(&row.get::<_, String>(0)?)?,
            issued_at: Timestamp::from_millis(row.get(1)?),
            expires_at: Timestamp::from_millis(row.get(2)?),
            redeemed_at: time(row.get(3)?),
            revoked_at: time(row.get(4)?),
            actor: from_json::<Details>(&row.get::<_, String>(5)?)?.actor,
            outcome: row.get::<_, Option<String>>(6)?.as_deref().map(from_json).transpose()?,
        };
        found.voided_by(time(row.get(7)?), time(row.get(8)?));
        Ok(found)
    })
}

/// When the member's permission ends; `None` when there is no such member.
fn allowed_until(transaction: &Transaction<'_>, site: SiteId, subject: &str) -> Result<Option<Timestamp>> {
    let sql = "SELECT allowed_until FROM members WHERE site = ? AND subject = ? AND doc IS NOT NULL";
    one(transaction, sql, &[&site.to_string(), &subject], |row| Ok(Timestamp::from_millis(row.get(0)?)))
}

fn is_revoked(transaction: &Transaction<'_>, site: SiteId, kid: &KeyId) -> Result<bool> {
    let sql = "SELECT 1 FROM revoked_keys WHERE site = ? AND kid = ?";
    Ok(one(transaction, sql, &[&site.to_string(), &kid.as_str()], |_| Ok(()))?.is_some())
}

/// What the decision looks at.
struct Record {
    token_hash: String,
    primary: String,
    spent: Option<(Timestamp, String)>,
    redeemable_until: Timestamp,
    binding: String,
    details: Details,
    revoked: bool,
}

fn record(transaction: &Transaction<'_>, site: SiteId, presented: &Presented) -> Result<Option<Record>> {
    let sql =
        "SELECT h.token_hash, h.\"primary\", h.spent_at, h.attempt, h.redeemable_until, h.binding, h.details,
                 h.revoked_at IS NOT NULL
                 OR h.issued_at <= coalesce((SELECT not_before FROM members m
                                             WHERE m.site = h.site AND m.subject = h.subject), -1)
                 OR h.issued_at <= coalesce((SELECT not_before FROM sites s WHERE s.id = h.site), -1)
                 OR EXISTS (SELECT 1 FROM revoked_keys k WHERE k.site = h.site AND k.kid = ?3)
               FROM handoffs h WHERE h.site = ?1 AND h.id = ?2";
    let (site, id) = (site.to_string(), presented.id.to_string());
    one(transaction, sql, &[&site, &id, &presented.kid.as_str()], |row| {
        Ok(Record {
            token_hash: row.get(0)?,
            primary: row.get(1)?,
            spent: time(row.get(2)?).zip(row.get(3)?),
            redeemable_until: Timestamp::from_millis(row.get(4)?),
            binding: row.get(5)?,
            details: from_json(&row.get::<_, String>(6)?)?,
            revoked: row.get(7)?,
        })
    })
}

impl Record {
    /// Whether it is of this very token.
    fn is_of(&self, presented: &Presented) -> bool {
        self.token_hash == presented.token_hash.to_base64url()
    }
}

/// What is to be done with a token.
enum Decision<'a> {
    Spend(&'a Record),
    Repeat(&'a Record),
    Refuse(Refusal),
}

/// The order of outcomes; the Redis script `redeem.lua` is its twin.
fn decide<'a>(
    transaction: &Transaction<'_>,
    site: SiteId,
    presented: &Presented,
    record: Option<&'a Record>,
    now: Timestamp,
) -> Result<Decision<'a>> {
    use Refusal::{
        BindingMismatch, Expired, MembershipInactive, Mismatch, NoRecord, NotAsked, Revoked, Superseded, Used,
    };
    let refuse = |refusal| Ok(Decision::Refuse(refusal));
    let inactive = || {
        allowed_until(transaction, site, presented.subject.as_str())
            .map(|until| until.is_none_or(|until| now >= until))
    };
    let Some(record) = record else { return refuse(NoRecord) };
    if !record.is_of(presented) {
        return refuse(Mismatch);
    }
    if record.primary != primary(transaction)? {
        return refuse(Superseded);
    }
    if let Some((spent_at, attempt)) = &record.spent {
        if *attempt != presented.attempt_hash || spent_at.age_at(now) >= ATTEMPT_WINDOW {
            return refuse(Used);
        }
        if record.revoked {
            return refuse(Revoked);
        }
        if inactive()? {
            return refuse(MembershipInactive);
        }
        return Ok(Decision::Repeat(record));
    }
    if record.revoked {
        return refuse(Revoked);
    }
    if now >= record.redeemable_until {
        return refuse(Expired);
    }
    if presented.must_be_asked && record.details.asked_at.is_none() {
        return refuse(NotAsked);
    }
    if inactive()? {
        return refuse(MembershipInactive);
    }
    let is_bound = !record.binding.is_empty();
    if (is_bound && Some(&record.binding) != presented.binding.as_ref())
        || (presented.must_be_bound && !is_bound)
    {
        return refuse(BindingMismatch);
    }
    Ok(Decision::Spend(record))
}

#[async_trait]
impl Handoffs for Sqlite {
    async fn issue(&self, site: SiteId, handoff: &NewHandoff, context: &Context) -> Result<Issuance> {
        let (handoff, rates) = (handoff.clone(), self.limits);
        let context = context.naming(handoff.details.actor.as_ref());
        self.write(move |transaction| {
            let now = handoff.issued_at;
            if !sites::exists(transaction, site)? {
                return Ok(Issuance::SiteNotFound);
            }
            let emitter = Emitter { transaction, site, now, context: &context };
            let emit = |kind, cause| emitter.emit(kind, cause, Some(&handoff.subject), Some(handoff.id));
            let (subject, kind) = (&handoff.subject, EventKind::HandoffIssueRefused);
            let refused = |cause, issuance| {
                let in_vain = [rates.in_vain_by(&context)];
                let limited = emitter.refused(&in_vain, kind, cause, subject, handoff.id)?;
                Ok(limited.map_or(issuance, Issuance::Limited))
            };
            if is_revoked(transaction, site, &handoff.kid)? {
                return Ok(Issuance::KeyRevoked);
            }
            match allowed_until(transaction, site, subject.as_str())? {
                None => return refused("member_not_found", Issuance::MemberNotFound),
                Some(until) if now >= until => {
                    return refused("membership_inactive", Issuance::MembershipInactive);
                }
                Some(_) => {}
            }
            let counted = [rates.handoffs_of(subject), rates.handoffs_by(&context)];
            if let Some(limited) = emitter.count(&counted, kind, subject, Some(handoff.id))? {
                return Ok(Issuance::Limited(limited));
            }
            transaction
                .prepare_cached(
                    "INSERT INTO handoffs (site, id, subject, token_hash, kid, \"primary\", issued_at, expires_at,
                       redeemable_until, binding, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    site.to_string(),
                    handoff.id.to_string(),
                    handoff.subject.as_str(),
                    handoff.token_hash.to_base64url(),
                    handoff.kid.as_str(),
                    primary(transaction)?,
                    now.millis(),
                    handoff.expires_at.millis(),
                    handoff.redeemable_until().millis(),
                    handoff.binding.as_deref().unwrap_or_default(),
                    to_json(&handoff.details)?,
                ])?;
            emit(EventKind::HandoffIssued, "")?;
            Ok(Issuance::Issued)
        })
        .await
    }

    async fn redeem(
        &self,
        site: SiteId,
        presented: &Presented,
        now: Timestamp,
        context: &Context,
    ) -> Result<Redemption> {
        let (presented, context, rates) = (presented.clone(), context.clone(), self.limits);
        self.write(move |transaction| {
            if !sites::exists(transaction, site)? {
                return Ok(Redemption::Refused(Refusal::NoRecord));
            }
            let record = record(transaction, site, &presented)?;
            let own = record.as_ref().filter(|record| record.is_of(&presented));
            let context = context.naming(own.and_then(|record| record.details.actor.as_ref()));
            let emitter = Emitter { transaction, site, now, context: &context };
            let emit = |kind, cause| emitter.emit(kind, cause, Some(&presented.subject), Some(presented.id));
            let redeemed = |record: &Record| {
                let member = members::member(transaction, site, &presented.subject)?
                    .ok_or_else(|| corrupt("an active member that is not there"))?;
                Ok::<_, super::StoreError>(Box::new(Redeemed {
                    id: presented.id,
                    member,
                    details: record.details.clone(),
                    epoch: record.primary.clone(),
                }))
            };
            let (kind, id) = (EventKind::HandoffRefused, presented.id);
            // What spends nothing is allowed only so often.
            let full = || {
                let answers = [rates.answers_of(id, presented.intent)];
                emitter.count(&answers, kind, &presented.subject, Some(id))
            };
            match decide(transaction, site, &presented, record.as_ref(), now)? {
                Decision::Refuse(refusal) => {
                    let tries = [rates.tries_of(id), rates.tries_from(&context)];
                    let limited = emitter.refused(&tries, kind, refusal.cause(), &presented.subject, id)?;
                    Ok(limited.map_or(Redemption::Refused(refusal), Redemption::Limited))
                }
                Decision::Spend(record) | Decision::Repeat(record) if presented.intent == Intent::Preview => {
                    if let Some(limited) = full()? {
                        return Ok(Redemption::Limited(limited));
                    }
                    Ok(Redemption::Previewed(Box::new((*redeemed(record)?).into())))
                }
                Decision::Repeat(record) => {
                    if let Some(limited) = full()? {
                        return Ok(Redemption::Limited(limited));
                    }
                    emit(EventKind::HandoffRepeated, "")?;
                    Ok(Redemption::Repeated(redeemed(record)?))
                }
                Decision::Spend(record) => {
                    transaction
                        .prepare_cached(
                            "UPDATE handoffs SET spent_at = ?, attempt = ? WHERE site = ? AND id = ?",
                        )?
                        .execute(params![
                            now.millis(),
                            presented.attempt_hash,
                            site.to_string(),
                            presented.id.to_string()
                        ])?;
                    emit(EventKind::HandoffRedeemed, "")?;
                    Ok(Redemption::Redeemed(redeemed(record)?))
                }
            }
        })
        .await
    }

    async fn handoff(&self, site: SiteId, id: HandoffId) -> Result<Option<Handoff>> {
        self.read(move |connection| handoff(connection, site, id)).await
    }

    async fn revoke_handoff(
        &self,
        site: SiteId,
        id: HandoffId,
        now: Timestamp,
        context: &Context,
    ) -> Result<Revocation> {
        let context = context.clone();
        self.write(move |transaction| {
            let Some(mut found) = handoff(transaction, site, id)? else { return Ok(Revocation::NotFound) };
            if found.redeemed_at.is_some() {
                return Ok(Revocation::AlreadyRedeemed(found));
            }
            // Also one that is void already by its subject or its key, which is another matter.
            let changed = transaction.execute(
                "UPDATE handoffs SET revoked_at = ? WHERE site = ? AND id = ? AND revoked_at IS NULL",
                params![now.millis(), site.to_string(), id.to_string()],
            )?;
            if changed == 1 {
                let context = context.naming(found.actor.as_ref());
                let emitter = Emitter { transaction, site, now, context: &context };
                emitter.emit(EventKind::HandoffRevoked, "", Some(&found.subject), Some(id))?;
                found.revoked_at = found.revoked_at.or(Some(now));
            }
            Ok(Revocation::Revoked(found))
        })
        .await
    }

    async fn revoke_key(&self, site: SiteId, kid: &KeyId, now: Timestamp, context: &Context) -> Result<()> {
        let (kid, context) = (kid.clone(), context.noting(kid.as_str()));
        self.write(move |transaction| {
            if !sites::exists(transaction, site)? {
                return Ok(());
            }
            let revoked = transaction.execute(
                "INSERT OR IGNORE INTO revoked_keys (site, kid, revoked_at) VALUES (?, ?, ?)",
                params![site.to_string(), kid.as_str(), now.millis()],
            )?;
            if revoked == 1 {
                let emitter = Emitter { transaction, site, now, context: &context };
                emitter.emit(EventKind::KeyRevoked, "", None, None)?;
            }
            Ok(())
        })
        .await
    }

    async fn report_outcome(
        &self,
        site: SiteId,
        id: HandoffId,
        outcome: &Outcome,
        now: Timestamp,
        context: &Context,
    ) -> Result<OutcomeReport> {
        let (outcome, context) = (outcome.clone(), context.clone());
        self.write(move |transaction| {
            let Some(found) = handoff(transaction, site, id)?.filter(|found| found.redeemed_at.is_some())
            else {
                return Ok(OutcomeReport::NotRedeemed);
            };
            if found.outcome.is_some() {
                return Ok(OutcomeReport::AlreadyRecorded);
            }
            transaction.execute(
                "UPDATE handoffs SET outcome = ? WHERE site = ? AND id = ?",
                params![to_json(&outcome)?, site.to_string(), id.to_string()],
            )?;
            let (kind, cause) = outcome.event();
            let context = context.naming(found.actor.as_ref());
            let emitter = Emitter { transaction, site, now, context: &context };
            emitter.emit(kind, cause, Some(&found.subject), Some(id))?;
            Ok(OutcomeReport::Recorded)
        })
        .await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64> {
        let before = Timestamp::from_millis(
            now.millis() - i64::try_from(RECORD_RETENTION.as_millis()).unwrap_or(i64::MAX),
        );
        self.write(move |transaction| {
            limits::sweep(transaction, now)?;
            feed::sweep(transaction, now)?;
            let removed =
                transaction.execute("DELETE FROM handoffs WHERE expires_at <= ?", [before.millis()])?;
            Ok(u64::try_from(removed).unwrap_or(u64::MAX))
        })
        .await
    }
}
