//! Reads the casebook: each file is a situation and its neighbours.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::addresses::Addresses;
use crate::format::{Again, Situation};

/// All situations below a folder, by name.
///
/// # Errors
/// A file cannot be read, or has no sense.
pub fn all(folder: &Path) -> Result<Vec<Situation>> {
    let mut found = Vec::new();
    for path in files(folder)? {
        let read = fs::read_to_string(&path)
            .map_err(anyhow::Error::from)
            .and_then(|text| situations(&text));
        let base = path.strip_prefix(folder).unwrap_or(&path);
        let base = base.with_extension("").display().to_string();
        let read = read.with_context(|| format!("{base}.toml"))?;
        found.extend(read.into_iter().enumerate().map(|(n, situation)| {
            let name = if n == 0 {
                base.clone()
            } else {
                format!("{base}+{n}")
            };
            Situation { name, ..situation }
        }));
    }
    Ok(found)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What one file has.
///
/// # Errors
/// It is not as it should be.
pub fn situations(text: &str) -> Result<Vec<Situation>> {
    let mut first: Situation = toml::from_str(text)?;
    let neighbours = std::mem::take(&mut first.again);
    first.expect.most_incidents.get_or_insert(1);
    let mut all = vec![first.clone()];
    all.extend(neighbours.iter().map(|again| neighbour(&first, again)));
    all.iter().try_for_each(check)?;
    Ok(all)
}

fn neighbour(first: &Situation, again: &Again) -> Situation {
    let mut other = first.clone();
    let again = again.clone();
    other.title = format!("{}, {}", other.title, again.but);
    other.host = again.host.unwrap_or(other.host);
    other.lasts = again.lasts.unwrap_or(other.lasts);
    other.begins = again.begins.unwrap_or(other.begins);
    other.seed = again.seed.unwrap_or(other.seed);
    let expect = &mut other.expect;
    expect.onset = expect.onset.max(other.begins);
    expect.within = again.within.or(expect.within);
    expect.symptoms = again.symptoms.unwrap_or_else(|| expect.symptoms.clone());
    expect.first_cause = again
        .first_cause
        .unwrap_or_else(|| expect.first_cause.clone());
    expect.never = again.never.unwrap_or_else(|| expect.never.clone());
    expect.most_incidents = again.most_incidents.or(expect.most_incidents);
    if let Some(factor) = again.rates {
        let asked = other.ask.iter_mut().filter_map(|ask| ask.rate.as_mut());
        let sent = other.packets.iter_mut().filter_map(|p| p.rate.as_mut());
        asked.chain(sent).for_each(|rate| rate.multiply(factor));
    }
    other.ask.extend(again.ask);
    other.fate.extend(again.fate);
    other.packets.extend(again.packets);
    other.probe.extend(again.probe);
    other.kernel.extend(again.kernel);
    if again.ipv6 {
        to_ipv6_everywhere(&mut other);
    }
    other
}

fn to_ipv6_everywhere(situation: &mut Situation) {
    let mut all: Vec<&mut Addresses> = vec![&mut situation.host, &mut situation.expect.about];
    for ask in &mut situation.ask {
        all.extend([&mut ask.clients, &mut ask.servers]);
    }
    for fate in &mut situation.fate {
        all.extend(fate.clients.as_mut());
        all.extend(fate.servers.as_mut());
        all.extend(fate.answer.as_mut().map(|answer| &mut answer.from));
        all.extend(fate.recurse.as_mut().map(|recurse| &mut recurse.servers));
        if let Some(reject) = &mut fate.reject {
            all.extend([&mut reject.from, &mut reject.to, &mut reject.quoted_client]);
        }
    }
    for probe in &mut situation.probe {
        all.push(&mut probe.server);
    }
    for kernel in &mut situation.kernel {
        all.push(&mut kernel.server);
    }
    for packets in &mut situation.packets {
        all.extend([&mut packets.from, &mut packets.to]);
        all.extend([&mut packets.quoted_client, &mut packets.quoted_server]);
    }
    all.into_iter().for_each(Addresses::make_ipv6);
}

fn check(situation: &Situation) -> Result<()> {
    let Situation { expect, .. } = situation;
    ensure!(
        !expect.first_cause.is_empty(),
        "first_cause is empty; write \"none\" or \"unknown\" where that is meant"
    );
    ensure!(
        expect.onset < situation.lasts,
        "the onset lies behind the end"
    );
    for ask in &situation.ask {
        ensure!(
            ask.rate.is_some() != ask.count.is_some(),
            "an ask needs a rate or a count"
        );
        ensure!(
            ask.rate.is_some() || ask.at.to <= situation.lasts,
            "a count needs a span"
        );
    }
    for packets in &situation.packets {
        ensure!(
            packets.rate.is_some() != packets.count.is_some(),
            "packets need a rate or a count"
        );
    }
    for fate in &situation.fate {
        let verbs = [
            fate.answer.is_some(),
            fate.drop,
            // It may stand beside an answer.
            fate.reject.is_some() && fate.answer.is_none(),
            fate.pause.is_some(),
            fate.recurse.is_some(),
        ];
        let count = verbs.iter().filter(|verb| **verb).count();
        ensure!(
            count == 1,
            "a fate needs one of answer, drop, reject, pause and recurse"
        );
    }
    Ok(())
}
