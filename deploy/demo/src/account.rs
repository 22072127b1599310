//! The customer who is signed in to this panel, and what she has subscribed to. A real panel has a database here.

use std::sync::Mutex;

use crate::gatepass::{Member, Membership, Status};

/// The household of one customer: every subscription has its own reader, and every reader is a user of the site.
#[derive(Debug)]
pub(crate) struct Account {
    subscriptions: Vec<Subscription>,
}

#[derive(Debug)]
pub(crate) struct Subscription {
    pub title: &'static str,
    pub about: &'static str,
    pub price: &'static str,
    /// The panel's number for the reader: Gatepass calls it the subject.
    pub subject: &'static str,
    pub plan: &'static str,
    pub email: &'static str,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub full_name: &'static str,
    status: Mutex<Status>,
}

impl Account {
    pub(crate) fn demo() -> Self {
        let subscriptions = vec![
            Subscription {
                title: "The Morning Harbour",
                about: "The whole paper, every morning, with the archive back to 1987.",
                price: "€ 14.90 a month",
                subject: "cust-1001",
                plan: "paper",
                email: "mia.lindqvist@example.com",
                first_name: "Mia",
                last_name: "Lindqvist",
                full_name: "Mia Lindqvist",
                status: Mutex::new(Status::Active),
            },
            Subscription {
                title: "Harbour Kitchen",
                about: "Four recipes a week, a shopping list, and the Sunday table.",
                price: "€ 4.90 a month",
                subject: "cust-1002",
                plan: "kitchen",
                email: "leo.lindqvist@example.com",
                first_name: "Leo",
                last_name: "Lindqvist",
                full_name: "Leo Lindqvist",
                status: Mutex::new(Status::Canceled),
            },
        ];
        Self { subscriptions }
    }

    pub(crate) fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    pub(crate) fn by_plan(&self, plan: &str) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.plan == plan)
    }

    /// Who is to be logged in: the reader that is asked for, or the only one with an active subscription.
    pub(crate) fn reader(&self, subject: Option<&str>) -> Option<&Subscription> {
        let asked_for = self.subscriptions.iter().find(|subscription| Some(subscription.subject) == subject);
        asked_for.or_else(|| {
            let mut active = self.subscriptions.iter().filter(|subscription| subscription.is_active());
            active.next().filter(|_| active.next().is_none())
        })
    }
}

impl Subscription {
    pub(crate) fn status(&self) -> Status {
        *self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn set_status(&self, status: Status) {
        *self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = status;
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status() == Status::Active
    }

    /// The whole state that WordPress is to have of this reader, were the status as given.
    pub(crate) fn member(&self, status: Status) -> Member<'_> {
        Member {
            email: self.email,
            email_verified: true,
            display_name: self.full_name,
            first_name: self.first_name,
            last_name: self.last_name,
            membership: Membership { status, plan: self.plan },
        }
    }
}
