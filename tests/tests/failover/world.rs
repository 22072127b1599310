//! What is registered: a panel's key, a paired site, its members. Lost with the data, and then made anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gatepass_tests::api::member;
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::forge::Forge;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::{PanelApi, Result};

use gatepass_tests::dice::Dice;

/// How many customers there are: so many that no limit on one of them is met.
const MEMBERS: usize = 300;
/// Tokens live as long as they may, so that one of them sees several failovers.
const TOKEN_LIFETIME: &str = "300";
/// For how long a proof is used; it is good for a minute.
const PROOF_USE: Duration = Duration::from_secs(20);

static ANY_LOST: AtomicBool = AtomicBool::new(false);

/// One registration.
#[derive(Debug)]
pub struct World {
    pub key: String,
    pub site: String,
    /// Signs what was never issued, with the key that signs what is.
    pub forge: Forge,
    fake: FakeSite,
    code: PairingCode,
    proof: Mutex<Option<(Instant, String)>>,
    lost: OnceLock<Instant>,
}

impl World {
    /// Registers by the command line, pairs as the plugin does, and puts the members.
    pub async fn register(gatepass: &Gatepass, store: &str) -> Result<Self> {
        let key = gatepass.add_client("failover")?;
        let (fake, code) = FakeSite::paired_with(gatepass, &["--token-lifetime", TOKEN_LIFETIME]).await?;
        let api = PanelApi::new(&gatepass.address(), &code.site, &key);
        let since = Instant::now();
        while api.put(&subject(0), &member(&subject(0))).await?.code() == "overloaded" {
            if since.elapsed() > Duration::from_secs(30) {
                return Err("a new panel is not let in".into());
            }
        }
        for number in 0..MEMBERS {
            api.put_status(&subject(number), "active").await?;
        }
        let forge = Forge::open(&gatepass.data_dir(), store, &gatepass.url(), &code.site).await?;
        let (proof, lost) = (Mutex::default(), OnceLock::new());
        Ok(Self { key, site: code.site.clone(), forge, fake, code, proof, lost })
    }

    /// The site's proof of being itself.
    pub fn proof(&self) -> String {
        let mut proof = self.proof.lock().unwrap_or_else(PoisonError::into_inner);
        match &*proof {
            Some((made, text)) if made.elapsed() < PROOF_USE => text.clone(),
            _ => {
                let text = self.fake.proof(&self.fake.claims(&self.code));
                *proof = Some((Instant::now(), text.clone()));
                text
            }
        }
    }

    pub fn any_member(dice: &mut Dice) -> String {
        subject(dice.below(MEMBERS))
    }

    /// From now on its data may be gone.
    pub fn lose(&self) {
        ANY_LOST.store(true, Ordering::Relaxed);
        self.lost.get_or_init(Instant::now);
    }

    /// Whether there are those who ask under names that nobody knows any more. They take the few look-ups that
    /// strangers have, and newcomers with them.
    pub fn any_lost() -> bool {
        ANY_LOST.load(Ordering::Relaxed)
    }

    pub fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }
}

fn subject(number: usize) -> String {
    format!("cust-{number}")
}
