//! The inputs that are kept: one file a target, one input a line, escaped as in a Rust byte string. So a corpus of
//! thousands can be read, searched and compared by line, and PHP reads it too (`stripcslashes`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folder of this crate.
fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where a target's inputs are kept.
pub fn kept_file(target: &str) -> PathBuf {
    home().join("kept").join(format!("{target}.txt"))
}

/// Reads the inputs that are kept for a target.
pub fn kept(target: &str) -> io::Result<Vec<Vec<u8>>> {
    Ok(fs::read_to_string(kept_file(target))?.lines().map(unescape).collect())
}

/// Keeps these inputs for a target, and no others.
pub fn keep(target: &str, inputs: &BTreeSet<Vec<u8>>) -> io::Result<()> {
    let mut lines: Vec<String> = inputs.iter().map(|input| escape(input)).collect();
    // So that the last line ends as the others do.
    lines.push(String::new());
    fs::write(kept_file(target), lines.join("\n"))
}

/// The inputs that once found a fault of a target, by name.
pub fn regressions(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let folder = match fs::read_dir(home().join("regressions").join(target)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        folder => folder?,
    };
    for entry in folder {
        let path = entry?.path();
        found.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), fs::read(path)?));
    }
    found.sort();
    Ok(found)
}

/// As a line.
pub fn escape(input: &[u8]) -> String {
    input.escape_ascii().to_string()
}

/// The bytes of a line that [`escape`] made.
pub fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = line.bytes();
    let mut input = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            input.push(byte);
            continue;
        }
        input.push(match bytes.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'x') => {
                let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap()
            }
            Some(itself) => itself,
            None => panic!("the line ends in an escape: {line}"),
        });
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back_from_a_line() {
        let all: Vec<u8> = (0..=255).collect();
        let line = escape(&all);
        assert!(line.is_ascii() && !line.contains('\n'));
        assert_eq!(unescape(&line), all);
    }
}
