//! What the modules of one kernel build agree on about the symbols of that kernel.

use std::collections::{HashMap, HashSet};

use bstr::{BString, ByteSlice};

use super::examined_module::ExaminedModule;

/// What witnesses record about one symbol.
#[derive(Clone, Debug, Default)]
struct Votes {
    /// Each CRC that it is needed with, and by how many.
    crcs: Vec<(Option<u32>, u32)>,
    /// Whether a module without a GPL-compatible licence uses it.
    used_without_gpl: bool,
    /// The namespaces that all its users import: it can only be in one of these.
    namespaces: Option<Vec<BString>>,
}

/// What all witnesses record, by symbol.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    votes: HashMap<BString, Votes>,
    /// The modules that disagree with the others about a CRC.
    outvoted: HashSet<BString>,
}

/// How many witnesses there are for a symbol, apart from the module in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Others {
    /// The CRC that most of them need it with.
    pub crc: Option<u32>,
    /// How many need it so.
    pub count: u32,
    /// How many need it as the module in question does.
    pub same: u32,
}

impl Agreement {
    /// Gathers what witnesses need. A witness that others outvote is none.
    pub fn of<'a>(witnesses: impl Iterator<Item = &'a ExaminedModule> + Clone) -> Self {
        let mut agreement = Self::default();
        witnesses.clone().for_each(|one| agreement.count(one));
        let outvoted: Vec<&ExaminedModule> =
            witnesses.clone().filter(|one| agreement.outvotes(one)).collect();
        if outvoted.is_empty() {
            return agreement;
        }
        let names: HashSet<BString> = outvoted.iter().map(|one| one.name.as_bstr().to_owned()).collect();
        let mut agreement = Self::default();
        let sound = |one: &&ExaminedModule| !names.contains(one.name.as_bstr());
        witnesses.filter(sound).for_each(|one| agreement.count(one));
        agreement.outvoted = names;
        agreement
    }

    /// Whether a module was not counted because the others disagree with it.
    pub fn is_outvoted(&self, subject: &ExaminedModule) -> bool {
        self.outvoted.contains(subject.name.as_bstr())
    }

    /// What witnesses other than this module record of a symbol's CRC; `None` where there are none.
    /// `counted` is whether the module is itself one of them.
    pub fn others(&self, symbol: &[u8], crc: Option<u32>, counted: bool) -> Option<Others> {
        let votes = self.votes.get(symbol.as_bstr())?;
        let own = u32::from(counted);
        let others = |(value, count): &(Option<u32>, u32)| {
            (*value, if *value == crc { count.saturating_sub(own) } else { *count })
        };
        let same = votes.crcs.iter().map(others).find(|(value, _)| *value == crc).map_or(0, |(_, n)| n);
        let most = votes.crcs.iter().map(others).filter(|(_, count)| *count > 0);
        // Of equally many, the ones that need it as the module does.
        let (value, count) = most.max_by_key(|(value, count)| (*count, *value == crc))?;
        Some(Others { crc: value, count, same })
    }

    /// Whether a module without a GPL-compatible licence uses a symbol: then any may.
    pub fn is_used_without_gpl(&self, symbol: &[u8]) -> bool {
        self.votes.get(symbol.as_bstr()).is_some_and(|votes| votes.used_without_gpl)
    }

    /// The namespaces that a symbol may be in; none where a user of it imports none of them.
    pub fn namespaces(&self, symbol: &[u8]) -> &[BString] {
        let votes = self.votes.get(symbol.as_bstr());
        votes.and_then(|votes| votes.namespaces.as_deref()).unwrap_or_default()
    }

    fn count(&mut self, subject: &ExaminedModule) {
        let gpl = subject.is_gpl_compatible();
        for need in &subject.needs {
            let votes = match self.votes.get_mut(need.name.as_bstr()) {
                Some(votes) => votes,
                None => self.votes.entry(need.name.clone()).or_default(),
            };
            match votes.crcs.iter_mut().find(|(crc, _)| *crc == need.crc) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => votes.crcs.push((need.crc, 1)),
            }
            votes.used_without_gpl |= !gpl;
            match &mut votes.namespaces {
                Some(common) => common.retain(|namespace| subject.imports.contains(namespace)),
                none => *none = Some(subject.imports.clone()),
            }
        }
    }

    /// Whether most of the others need some symbol with another CRC than this module does.
    fn outvotes(&self, subject: &ExaminedModule) -> bool {
        subject.needs.iter().any(|need| {
            let others = self.others(&need.name, need.crc, true);
            others.is_some_and(|others| others.crc != need.crc && others.count > others.same + 1)
        })
    }
}
