//! Two readers, one verdict: the plugin reads tokens in PHP, Gatepass reads them in Rust, and whatever passes the one
//! passes the other, or there is a reason that design gives. On no input may PHP have anything to say.
//!
//! The long form (`GATEPASS_TEST_LONG`) goes on for ten minutes where the short one stops after some seconds.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use gatepass_core::site::Origin;
use gatepass_corpus::{Kind, SITE, b64, cases, judge, key};
use gatepass_fuzz::inputs::{escape, kept};
use gatepass_fuzz::mutate::Mutator;
use gatepass_fuzz::targets::{handoff, redirects};
use gatepass_fuzz::{TARGETS, oracle};
use gatepass_keys::token::TokenError;
use serde_json::{Value, json};
use url::ParseError;

/// The plugin's readers, in a PHP of their own.
struct Plugin {
    process: Child,
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
}

/// What the plugin made of an input.
#[derive(Debug)]
enum Verdict {
    Accepted(Value),
    Refused,
}

impl Plugin {
    fn start() -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let cache =
            std::env::var_os("GATEPASS_CACHE").map_or_else(|| repository.join(".cache"), PathBuf::from);
        let php = cache.join("bin/php");
        assert!(php.exists(), "{} does not exist: run deploy/test.sh, which makes it", php.display());
        let keys = json!([key().public()]).to_string();
        let mut process = Command::new(php)
            .arg(repository.join("wp-bridge/plugin/tests/verdicts.php"))
            .args([SITE, &keys])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("PHP");
        let to = BufWriter::new(process.stdin.take().expect("its standard input"));
        let from = BufReader::new(process.stdout.take().expect("its standard output"));
        Self { process, to, from }
    }

    /// What the reader of this letter makes of some inputs; none of them may make PHP say anything.
    fn read(&mut self, reader: char, inputs: &[Vec<u8>]) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        // Few enough that neither side waits for the other to empty a full pipe.
        for some in inputs.chunks(16) {
            for input in some {
                writeln!(self.to, "{reader}{}", escape(input)).expect("PHP reads");
            }
            self.to.flush().expect("PHP reads");
            for input in some {
                let mut line = String::new();
                self.from.read_line(&mut line).expect("PHP answers");
                verdicts.push(match line.trim_end().split_at_checked(1) {
                    Some(("+", read)) => Verdict::Accepted(serde_json::from_str(read).expect("JSON")),
                    Some(("-", "")) => Verdict::Refused,
                    _ => panic!("PHP says {line:?} of {}", escape(input)),
                });
            }
        }
        verdicts
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Gives `round` a mutator again and again: for some rounds, or for ten minutes.
fn again(mut round: impl FnMut(&mut Mutator) -> usize) {
    let (mut mutator, began, mut tried) = (Mutator::new(20_261_122), Instant::now(), 0);
    let long = std::env::var_os("GATEPASS_TEST_LONG").is_some();
    for rounds in 0.. {
        if if long { began.elapsed() > Duration::from_mins(10) } else { rounds == 20 } {
            break;
        }
        tried += round(&mut mutator);
    }
    println!("{tried} inputs in {} s", began.elapsed().as_secs());
}

fn kept_by(target: &str) -> Vec<Vec<u8>> {
    kept(target).expect("what fuzzing has kept")
}

/// Whether the plugin may let pass to the bridge what Gatepass refuses: time is the bridge's to judge, and so is a key
/// that was made since the plugin learnt the keys; the issuer is the bridge's own.
fn is_left_to_the_bridge(refusal: TokenError) -> bool {
    matches!(
        refusal,
        TokenError::ExpiryTooFarAhead
            | TokenError::IssuedInTheFuture
            | TokenError::LifetimeTooLong
            | TokenError::Expired
            | TokenError::UnknownKey
            | TokenError::Issuer
    )
}

fn assert_one_verdict(plugin: &mut Plugin, tokens: &[Vec<u8>]) -> usize {
    let mut accepted = 0;
    for (token, theirs) in tokens.iter().zip(plugin.read('t', tokens)) {
        // What is no UTF-8 never becomes a token: it comes in JSON.
        let ours = str::from_utf8(token).map(|token| judge(Kind::Handoff, token));
        match (ours, &theirs) {
            (Ok(Ok(())), Verdict::Accepted(read)) => {
                assert_eq!(read["same"], true);
                accepted += 1;
            }
            (Ok(Err(refusal)), Verdict::Accepted(_)) if is_left_to_the_bridge(refusal) => {}
            (Ok(Err(_)) | Err(_), Verdict::Refused) => {}
            (ours, theirs) => panic!("we say {ours:?}, the plugin {theirs:?} of {}", escape(token)),
        }
    }
    accepted
}

#[test]
fn the_plugin_and_gatepass_agree_on_every_token_of_the_corpus() {
    let tokens: Vec<Vec<u8>> = cases().iter().map(|case| case.token().into_bytes()).collect();
    assert!(assert_one_verdict(&mut Plugin::start(), &tokens) >= 10);
}

#[test]
fn the_plugin_and_gatepass_agree_on_every_token_that_fuzzing_kept() {
    let inputs = [kept_by("handoff"), kept_by("site_proof")].concat();
    let tokens: Vec<Vec<u8>> =
        inputs.iter().filter_map(|input| handoff::token(input)).map(String::into_bytes).collect();
    assert!(assert_one_verdict(&mut Plugin::start(), &tokens) >= 1);
}

#[test]
fn the_plugin_and_gatepass_agree_on_tokens_with_anything_changed() {
    let inputs = [(TARGETS[0].seeds)(), kept_by("handoff")].concat();
    let mut plugin = Plugin::start();
    again(|mutator| {
        let tokens: Vec<Vec<u8>> = (0..200)
            .filter_map(|_| {
                let (input, other) = (mutator.pick(&inputs).clone(), mutator.pick(&inputs).clone());
                handoff::token(&mutator.change(&input, &other)).map(String::into_bytes)
            })
            .collect();
        assert_one_verdict(&mut plugin, &tokens);
        tokens.len()
    });
}

/// Whatever the bridge, or something in front of it, may answer: PHP reads no object in which anything is there twice.
#[test]
fn the_plugin_reads_any_answer_in_one_way_or_not_at_all() {
    let seeds: Vec<Vec<u8>> = ["bodies", "challenge", "keys"].map(kept_by).concat();
    let mut plugin = Plugin::start();
    again(|mutator| {
        let answers: Vec<Vec<u8>> = (0..200)
            .map(|_| {
                let (input, other) = (mutator.pick(&seeds).clone(), mutator.pick(&seeds).clone());
                // Most bodies have a letter before them.
                let input = input.strip_prefix(b"m").or(input.strip_prefix(b"p")).unwrap_or(&input).to_vec();
                mutator.change(&input, &other)
            })
            .collect();
        for (answer, verdict) in answers.iter().zip(plugin.read('a', &answers)) {
            let accepted = matches!(verdict, Verdict::Accepted(_));
            assert!(!accepted || oracle::is_unambiguous(answer), "the plugin reads {}", escape(answer));
        }
        answers.len()
    });
}

#[test]
fn the_plugin_reads_a_pairing_string_whole_or_not_at_all() {
    let good = json!({
        "v": 1, "bridge": "https://login.example", "issuer": "https://login.example", "site": SITE,
        "secret": "A".repeat(43), "keys": "B".repeat(43),
    })
    .to_string()
    .into_bytes();
    let string = |json: &[u8]| format!("gp_pair_{}", b64(json)).into_bytes();
    let mut plugin = Plugin::start();
    assert!(matches!(plugin.read('p', &[string(&good)])[..], [Verdict::Accepted(_)]));
    again(|mutator| {
        let strings: Vec<Vec<u8>> = (0..200)
            .map(|number| match number % 2 {
                0 => string(&mutator.change(&good, &good)),
                _ => mutator.change(&string(&good), &good),
            })
            .collect();
        for (input, verdict) in strings.iter().zip(plugin.read('p', &strings)) {
            let Verdict::Accepted(read) = verdict else { continue };
            let bridge = read["bridge"].as_str().unwrap_or_default();
            let url: url::Url = match bridge.parse() {
                Ok(url) => url,
                // Nobody can have such a host, so nobody answers there.
                Err(
                    ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address | ParseError::IdnaError,
                ) => continue,
                Err(error) => panic!("{bridge}: {error}: {}", escape(input)),
            };
            assert!(
                url.username().is_empty() && url.query().is_none() && url.fragment().is_none(),
                "{bridge}"
            );
            assert!(read["site"].as_str().is_some_and(|site| site.len() == 31 && site.starts_with("site_")));
        }
        strings.len()
    });
}

#[test]
fn the_plugin_leads_nobody_off_the_site() {
    let seeds = [redirects::seeds(), kept_by("redirects")].concat();
    let origin: Origin = "https://example.com".parse().expect("an origin");
    let mut plugin = Plugin::start();
    let assert_on_site = |targets: &[Vec<u8>], verdicts: Vec<Verdict>| {
        for (target, verdict) in targets.iter().zip(verdicts) {
            let Verdict::Accepted(read) = verdict else { continue };
            let url = read["url"].as_str().unwrap_or_default().parse::<url::Url>();
            assert!(url.as_ref().is_ok_and(|url| origin.holds(url)), "{} leads to {url:?}", escape(target));
        }
    };
    let verdicts = plugin.read('r', &seeds);
    assert_on_site(&seeds, verdicts);
    again(|mutator| {
        let targets: Vec<Vec<u8>> = (0..200)
            .map(|_| {
                let (input, other) = (mutator.pick(&seeds).clone(), mutator.pick(&seeds).clone());
                mutator.change(&input, &other)
            })
            .collect();
        let verdicts = plugin.read('r', &targets);
        assert_on_site(&targets, verdicts);
        targets.len()
    });
}
