//! What the documents say is there, is there.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The names of all functions under a folder.
fn functions(folder: &Path, names: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if !["target", ".git", ".cache"].iter().any(|skipped| name == *skipped) {
                functions(&path, names);
            }
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "php") {
            let text = fs::read_to_string(&path).expect("a text");
            for keyword in ["fn ", "function "] {
                names.extend(text.split(keyword).skip(1).map(|rest| {
                    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
                }));
            }
        }
    }
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let mut names = HashSet::new();
    functions(&root(), &mut names);
    let text = fs::read_to_string(root().join("deploy/threat-model.md")).expect("the threat model");
    // A test's name is a sentence: at least three words. In the tables they stand in the last column.
    let is_test = |name: &&str| {
        name.split('_').count() > 2 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let cited: Vec<&str> = rows
        .filter_map(|line| line.rsplit('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(is_test)
        .collect();
    assert!(cited.len() > 80, "only {} are found", cited.len());
    let missing: Vec<_> = cited.into_iter().filter(|name| !names.contains(*name)).collect();
    assert!(missing.is_empty(), "there is no {missing:#?}");
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    for document in ["README.md", "deploy/threat-model.md"] {
        let path = root().join(document);
        let text = fs::read_to_string(&path).expect("a document");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") {
                assert!(path.with_file_name(file).exists(), "{document}: {target}");
            }
        }
    }
}

/// The plugin's files, by name.
fn plugin() -> Vec<(String, String)> {
    let folder = root().join("wp-bridge/plugin/gatepass/includes");
    let files = fs::read_dir(folder).expect("the plugin").flatten();
    files
        .map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(file.path()).expect("a text"))
        })
        .collect()
}

/// The texts in single quotes that look like causes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let is_cause =
        |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.split('\'').skip(1).step_by(2).filter(is_cause)
}

#[test]
fn every_cause_of_the_plugin_is_explained() {
    let plugin = plugin();
    let makes_one =
        |line: &&str| line.contains("new Gatepass_Refusal(") || line.contains("Refusal::account(");
    let lines = plugin.iter().flat_map(|(_, text)| text.lines()).filter(makes_one);
    let causes: HashSet<&str> = lines.flat_map(quoted).collect();
    assert!(causes.len() > 12, "only {causes:?} are found");
    let unexplained: Vec<_> =
        causes.into_iter().filter(|cause| gatepass_core::cause::explain(cause).is_none()).collect();
    assert!(unexplained.is_empty(), "gatepass audit show does not know {unexplained:?}");
}

/// What stands in quotation marks of PHP's.
fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('\'')
}

#[test]
fn the_plugin_and_gatepass_agree_on_references_that_say_their_cause() {
    let plugin = plugin();
    let (_, text) = plugin
        .iter()
        .find(|(name, _)| name == "class-gatepass-reference.php")
        .expect("includes/class-gatepass-reference.php");
    let table = text
        .split_once("const LOCAL_CAUSES = array(")
        .and_then(|(_, rest)| rest.split_once(");"))
        .expect("const LOCAL_CAUSES = array( 'cause' => character, … ); in class-gatepass-reference.php")
        .0;
    let of_plugin: Vec<(char, &str)> = table
        .split(',')
        .filter_map(|pair| pair.split_once("=>"))
        .map(|(cause, character)| (unquoted(character).parse().expect("a character"), unquoted(cause)))
        .collect();
    assert_eq!(of_plugin, gatepass_core::reference::LOCAL_CAUSES);
}
