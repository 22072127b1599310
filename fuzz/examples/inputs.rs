//! `inputs unpack TARGET FOLDER` writes a target's seeds, kept inputs and regressions into a folder, one a file, as
//! libFuzzer takes them; `inputs pack TARGET FOLDER` keeps what is in the folder from then on; `inputs list` names the
//! targets.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use gatepass_fuzz::{TARGETS, Target, inputs};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["list"] => TARGETS.iter().for_each(|target| println!("{}", target.name)),
        ["unpack", target, folder] => unpack(find(target)?, Path::new(folder))?,
        ["pack", target, folder] => pack(find(target)?, Path::new(folder))?,
        _ => return Err("usage: inputs list | unpack TARGET FOLDER | pack TARGET FOLDER".into()),
    }
    Ok(())
}

fn find(name: &str) -> Result<&'static Target, String> {
    TARGETS.iter().find(|target| target.name == name).ok_or_else(|| format!("there is no target {name}"))
}

fn unpack(target: &Target, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let found = inputs::regressions(target.name)?.into_iter().map(|(_, input)| input);
    // A new target keeps nothing yet.
    let kept = inputs::kept(target.name).unwrap_or_default();
    for (number, input) in (target.seeds)().into_iter().chain(found).chain(kept).enumerate() {
        fs::write(folder.join(format!("{number:05}")), input)?;
    }
    Ok(())
}

fn pack(target: &Target, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut kept = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        kept.insert(fs::read(entry?.path())?);
    }
    // There is no line for the empty input; the test tries it anyway.
    kept.remove(&Vec::new());
    inputs::keep(target.name, &kept)?;
    println!("{}: {} inputs", target.name, kept.len());
    Ok(())
}
