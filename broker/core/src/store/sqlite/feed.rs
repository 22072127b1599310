//! What sites follow, in `SQLite`.

use async_trait::async_trait;
use rusqlite::{Connection, Transaction, params};

use super::members::{COLUMNS, read};
use super::{Emitter, Sqlite, all, from_json, integer, number, one, parsed, primary, time, to_json};
use crate::change::{
    Ack, Acknowledged, Changes, Delivery, PULLED_EVERY, Progress, REPORT_RETENTION, Session, second_thoughts,
};
use crate::clock::Timestamp;
use crate::event::Context;
use crate::id::{SiteId, Subject};
use crate::store::kept::Kept;
use crate::store::{Feed, Result};

/// Where a site stands.
struct Place {
    position: u64,
    /// In this epoch.
    pulled: Option<u64>,
    /// The largest cursor that it was given, in this epoch.
    handed_out: u64,
    pulled_at: Option<Timestamp>,
    delivery: Delivery,
}

fn place(connection: &Connection, site: SiteId, epoch: &str) -> Result<Option<Place>> {
    let sql =
        "SELECT revision, pulled, pulled_epoch = ?, pulled_at, delivery, handed_out FROM sites WHERE id = ?";
    one(connection, sql, &[&epoch, &site.to_string()], |row| {
        let is_of_this_epoch = row.get::<_, Option<bool>>(2)?.unwrap_or(false);
        Ok(Place {
            position: number(row.get(0)?)?,
            pulled: is_of_this_epoch.then(|| number(row.get(1)?)).transpose()?,
            handed_out: if is_of_this_epoch { number(row.get(5)?)? } else { 0 },
            pulled_at: time(row.get(3)?),
            delivery: row
                .get::<_, Option<String>>(4)?
                .as_deref()
                .map(from_json)
                .transpose()?
                .unwrap_or_default(),
        })
    })
}

/// Notes how far a site has pulled, and what cursor it is given.
fn note_pulled(
    transaction: &Transaction<'_>,
    site: SiteId,
    (place, epoch): (&Place, &str),
    (after, next): (u64, u64),
    now: Timestamp,
) -> Result<()> {
    let moved = place.pulled != Some(after);
    // Also when the clock was put back since.
    let is_due = place.pulled_at.is_none_or(|at| at.age_at(now) >= PULLED_EVERY || now < at);
    if moved || is_due || next > place.handed_out {
        let sql = "UPDATE sites SET pulled = ?, pulled_epoch = ?, pulled_at = ?, handed_out = ? WHERE id = ?";
        let handed_out = integer(place.handed_out.max(next));
        let values = params![integer(after), epoch, now.millis(), handed_out, site.to_string()];
        transaction.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}

impl Emitter<'_> {
    /// Keeps one acknowledgement, if it is of the member's position of now, and says whether it is.
    fn acknowledge(&self, ack: &Ack) -> Result<bool> {
        let Self { transaction, site, now, .. } = *self;
        let sql = format!("SELECT {COLUMNS} FROM members WHERE site = ? AND subject = ? AND position = ?");
        let of: [&dyn rusqlite::ToSql; 3] =
            [&site.to_string(), &ack.subject.as_str(), &integer(ack.position)];
        let found = one(transaction, &sql, &of, read)?;
        let Some(Kept { report, following: before, .. }) = found else { return Ok(false) };
        if let Some(sessions) = ack.sessions.as_ref().filter(|_| report > before.acknowledged) {
            self.keep_report(ack, sessions)?;
        }
        let error = ack.applied.error();
        let user = if error.is_some() { before.wordpress_user_id } else { ack.applied.wordpress_user_id() };
        let is_same = (before.error.as_ref(), before.wordpress_user_id) == (error, user);
        let is_first = before.acknowledged < ack.position;
        if is_same && !is_first {
            return Ok(true);
        }
        let sql = "UPDATE members SET acknowledged = position, acknowledged_at = ?3, wordpress_user_id = ?4, error = ?5
                   WHERE site = ?1 AND subject = ?2";
        transaction.prepare_cached(sql)?.execute(params![
            site.to_string(),
            ack.subject.as_str(),
            now.millis(),
            user.map(integer),
            error.map(to_json).transpose()?,
        ])?;
        let has_effect = before.acknowledged < before.effect;
        if is_same && !has_effect {
            return Ok(true);
        }
        let (kind, cause) = ack.applied.event();
        if has_effect || self.count(&[second_thoughts()], kind, &ack.subject, None)?.is_none() {
            self.emit(kind, cause, Some(&ack.subject), None)?;
        }
        Ok(true)
    }

    fn keep_report(&self, ack: &Ack, sessions: &[Session]) -> Result<()> {
        let sql =
            "INSERT INTO session_reports (site, subject, position, at, sessions) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT DO UPDATE SET position = ?3, at = ?4, sessions = ?5";
        let (site, position) = (self.site.to_string(), integer(ack.position));
        let values = params![site, ack.subject.as_str(), position, self.now.millis(), to_json(&sessions)?];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

/// Removes reports that nobody can ask for any more.
pub(super) fn sweep(transaction: &Transaction<'_>, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM session_reports WHERE at <= ? OR at > ?";
    transaction.execute(sql, [now.minus(REPORT_RETENTION).millis(), now.plus(REPORT_RETENTION).millis()])?;
    Ok(())
}

#[async_trait]
impl Feed for Sqlite {
    async fn changes(
        &self,
        site: SiteId,
        epoch: Option<&str>,
        after: u64,
        limit: usize,
        now: Timestamp,
    ) -> Result<Option<Changes>> {
        let asked_of = epoch.map(str::to_owned);
        self.write(move |transaction| {
            let epoch = primary(transaction)?;
            let Some(place) = place(transaction, site, &epoch)? else { return Ok(None) };
            let given = place.position.min(place.handed_out);
            let goes_on = asked_of.as_deref() == Some(epoch.as_str()) && after <= given;
            let resync = !goes_on && (asked_of.is_some() || after > 0);
            let after = if goes_on { after } else { 0 };
            let sql = format!(
                "SELECT {COLUMNS} FROM members WHERE site = ? AND position > ? ORDER BY position LIMIT ?"
            );
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let kept = all(transaction, &sql, &[&site.to_string(), &integer(after), &limit], read)?;
            let members: Vec<_> = kept.into_iter().map(Kept::change).collect();
            let next = members.last().map_or(after, |change| change.position);
            note_pulled(transaction, site, (&place, &epoch), (after, next), now)?;
            Ok(Some(Changes { epoch, resync, members, next, more: next < place.position }))
        })
        .await
    }

    async fn acknowledge(
        &self,
        site: SiteId,
        epoch: &str,
        acks: &[Ack],
        now: Timestamp,
        context: &Context,
    ) -> Result<Acknowledged> {
        let (epoch, acks, context) = (epoch.to_owned(), acks.to_vec(), context.clone());
        self.write(move |transaction| {
            if !super::sites::exists(transaction, site)? {
                return Ok(Acknowledged::SiteNotFound);
            }
            if primary(transaction)? != epoch {
                return Ok(Acknowledged::OtherEpoch);
            }
            let emitter = Emitter { transaction, site, now, context: &context };
            let mut kept = 0;
            for ack in &acks {
                kept += usize::from(emitter.acknowledge(ack)?);
            }
            Ok(Acknowledged::Kept { kept })
        })
        .await
    }

    async fn progress(&self, site: SiteId) -> Result<Option<Progress>> {
        self.read(move |connection| {
            let Some(place) = place(connection, site, &primary(connection)?)? else { return Ok(None) };
            let Place { position, pulled, pulled_at, delivery, handed_out: _ } = place;
            let delivery = Delivery { pulled_at, ..delivery };
            Ok(Some(Progress { position, pulled: pulled.unwrap_or(0), delivery }))
        })
        .await
    }

    async fn behind(&self, limit: usize) -> Result<Vec<SiteId>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let sql = "SELECT id FROM sites WHERE paired IS NOT NULL
                         AND (pulled < revision OR pulled_epoch IS NOT ?) ORDER BY random() LIMIT ?";
            let epoch = primary(connection)?;
            all(connection, sql, &[&epoch, &limit], |row| parsed(&row.get::<_, String>(0)?))
        })
        .await
    }

    async fn note_delivery(&self, site: SiteId, delivery: &Delivery) -> Result<()> {
        let delivery = to_json(&Delivery { pulled_at: None, ..delivery.clone() })?;
        self.write(move |transaction| {
            transaction
                .prepare_cached("UPDATE sites SET delivery = ? WHERE id = ?")?
                .execute([delivery, site.to_string()])?;
            Ok(())
        })
        .await
    }

    async fn reported_sessions(
        &self,
        site: SiteId,
        subject: &Subject,
        position: u64,
        now: Timestamp,
    ) -> Result<Option<Vec<Session>>> {
        let subject = subject.clone();
        self.read(move |connection| {
            let sql = "SELECT sessions FROM session_reports
                       WHERE site = ? AND subject = ? AND position >= ? AND at > ?";
            let since = now.minus(REPORT_RETENTION).millis();
            let of: [&dyn rusqlite::ToSql; 4] =
                [&site.to_string(), &subject.as_str(), &integer(position), &since];
            one(connection, sql, &of, |row| from_json(&row.get::<_, String>(0)?))
        })
        .await
    }
}
