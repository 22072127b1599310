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
    /// What the page and its buttons call it.
    pub name: &'static str,
    /// The panel's number for the reader: Gatepass calls it the subject.
    pub subject: &'static str,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub full_name: &'static str,
    pub plans: [Plan; 2],
    state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub id: &'static str,
    pub title: &'static str,
    pub price: &'static str,
}

/// What the customer can change.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub status: Status,
    pub email: String,
    /// The id of one of the plans.
    pub plan: &'static str,
}

impl Account {
    pub(crate) fn demo() -> Self {
        let subscriptions = vec![
            Subscription {
                title: "The Morning Harbour",
                about: "The whole paper, every morning, with the archive back to 1987.",
                name: "paper",
                subject: "cust-1001",
                first_name: "Mia",
                last_name: "Lindqvist",
                full_name: "Mia Lindqvist",
                plans: [
                    Plan { id: "paper-daily", title: "Every day", price: "€ 14.90 a month" },
                    Plan { id: "paper-weekend", title: "Weekends", price: "€ 6.90 a month" },
                ],
                state: Mutex::new(State {
                    status: Status::Active,
                    email: "mia.lindqvist@example.com".to_owned(),
                    plan: "paper-daily",
                }),
            },
            Subscription {
                title: "Harbour Kitchen",
                about: "Four recipes a week, a shopping list, and the Sunday table.",
                name: "kitchen",
                subject: "cust-1002",
                first_name: "Leo",
                last_name: "Lindqvist",
                full_name: "Leo Lindqvist",
                plans: [
                    Plan { id: "kitchen", title: "Recipes", price: "€ 4.90 a month" },
                    Plan { id: "kitchen-plus", title: "Recipes and videos", price: "€ 7.90 a month" },
                ],
                state: Mutex::new(State {
                    status: Status::Canceled,
                    email: "leo.lindqvist@example.com".to_owned(),
                    plan: "kitchen",
                }),
            },
        ];
        Self { subscriptions }
    }

    pub(crate) fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.name == name)
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
    pub(crate) fn state(&self) -> State {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(crate) fn set_state(&self, state: State) {
        *self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = state;
    }

    pub(crate) fn is_active(&self) -> bool {
        self.state().status == Status::Active
    }

    pub(crate) fn plan(&self, id: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.id == id)
    }

    /// The whole state that WordPress is to have of this reader.
    pub(crate) fn member(&self, state: &State) -> Member<'_> {
        Member {
            email: state.email.clone(),
            email_verified: true,
            display_name: self.full_name,
            first_name: self.first_name,
            last_name: self.last_name,
            membership: Membership { status: state.status, plan: state.plan },
        }
    }
}
