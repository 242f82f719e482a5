//! The symbols that a module needs, one by one: who exports each, and whether the kernel would let the
//! module have it (`resolve_symbol` in `kernel/module/main.c`, `check_version` in
//! `kernel/module/version.c`).

use super::{
    cause::{Cause, Gap, SymbolFault},
    examination::{Examination, Question},
    examined_module::{ExaminedModule, Need},
    exports::{KnownExport, Owner},
    view::{KernelView, Running, Unread},
};
use crate::{ModuleName, diagnose::Finding, kernel::State};

/// Checks all needed symbols.
pub(super) fn check(
    subject: &ExaminedModule,
    view: &KernelView,
    question: &Question,
    result: &mut Examination,
) {
    if view.machine.is_some_and(|machine| machine != subject.machine) {
        return;
    }
    let mut checker = Checker { subject, view, question, result };
    for need in &subject.needs {
        match view.offer(&need.name, subject) {
            Some(offer) => checker.offered(need, offer),
            None if checker.of_unread_module(need) => {}
            None if checker.of_unlisted_module(need) => {}
            None if view.table.is_some() => checker.not_listed(need),
            None if checker.by_agreement(need) => {}
            None => checker.without_witness(need),
        }
    }
    checker.proprietary_modules();
}

struct Checker<'a> {
    subject: &'a ExaminedModule,
    view: &'a KernelView,
    question: &'a Question<'a>,
    result: &'a mut Examination,
}

impl Checker<'_> {
    /// A symbol whose owner is known.
    fn offered(&mut self, need: &Need, offer: &KnownExport) {
        let listed = offer.owner == Owner::Kernel;
        if listed && !self.view.table.as_ref().is_some_and(|table| table.has_crcs) {
            self.version_by_agreement(need);
            self.licence_by_agreement(need);
        } else {
            let counts = &mut self.result.counts;
            *(if listed { &mut counts.listed } else { &mut counts.exported }) += 1;
            self.version(need, offer);
        }
        let owner = || offer.owner.clone();
        if offer.gpl_only && !self.subject.is_gpl_compatible() {
            let license = self.subject.license.clone();
            self.fault(need, SymbolFault::GplOnly { owner: owner(), license });
        }
        if let Some(namespace) = offer.namespace.as_ref().filter(|namespace| !self.may_use(namespace)) {
            let fault = SymbolFault::Namespace { namespace: namespace.clone(), owner: Some(owner()) };
            self.fault(need, fault);
        }
        if let Owner::Module(module) = &offer.owner {
            self.depend(need, module);
        }
    }

    fn version(&mut self, need: &Need, offer: &KnownExport) {
        if self.question.force.modversions {
            return;
        }
        match (need.crc, offer.crc) {
            (Some(module), Some(kernel)) if module != kernel => {
                let owner = offer.owner.clone();
                self.fault(need, SymbolFault::Version { module, kernel, owner, witnesses: None });
            }
            // Without any table the kernel asks CONFIG_MODULE_FORCE_LOAD, which vermagic reveals first.
            (None, Some(_)) if self.subject.has_versions => {
                self.fault(need, SymbolFault::NoVersion { owner: offer.owner.clone() });
            }
            _ => {}
        }
    }

    /// A symbol that the kernel has by a list without CRCs.
    fn version_by_agreement(&mut self, need: &Need) {
        if !self.by_agreement(need) {
            let counts = &mut self.result.counts;
            if need.crc.is_none() {
                counts.listed += 1;
            } else if self.question.is_of_build && !self.view.agreement.is_outvoted(self.subject) {
                counts.of_build += 1;
            } else {
                counts.unverified += 1;
                self.result.gaps.push(Gap::Version(need.name.clone()));
            }
        }
    }

    /// A symbol of a module that the indexes list and that could not be read. Returns whether it is one.
    fn of_unread_module(&mut self, need: &Need) -> bool {
        let Some(Unread { module, is_gone }) = self.view.unread_exports.get(&need.name) else { return false };
        self.result.counts.unverified += 1;
        let is_live = self.view.running.as_ref().is_some_and(|running| running.state(module) == State::Live);
        let gap = match is_gone {
            _ if need.weak => return true,
            // The kernel has the module, whatever has become of its file.
            _ if is_live => need.crc.map(|_| Gap::Version(need.name.clone())),
            true if self.question.alone => {
                self.fault(need, SymbolFault::Missing { listed: Some(module.clone()) });
                None
            }
            // What it depends on is examined next, and so found to be gone.
            true => None,
            false => Some(Gap::Dependency(module.clone())),
        };
        if !is_live && !self.question.alone && !self.result.dependencies.contains(module) {
            self.result.dependencies.push(module.clone());
        }
        let new = gap.filter(|gap| !self.result.gaps.contains(gap));
        self.result.gaps.extend(new);
        true
    }

    /// A symbol of a loaded module whose file is not known: neither its CRC is, nor for whom it is. Returns whether it is
    /// one.
    fn of_unlisted_module(&mut self, need: &Need) -> bool {
        let Some(owner) = self.view.unlisted.owner(&need.name) else { return false };
        if !need.weak {
            self.wait_for(owner);
            let name = need.name.clone();
            let is_version = need.crc.is_some() && self.subject.is_gpl_compatible();
            self.result.counts.unverified += 1;
            self.result.gaps.push(if is_version { Gap::Version(name) } else { Gap::Symbol(name) });
        }
        true
    }

    /// A symbol that neither the kernel exports nor a module whose file is known.
    fn missing(&mut self, need: &Need, listed: Option<ModuleName>) {
        if self.view.unlisted.may_have_others() {
            self.result.counts.unverified += 1;
            self.result.gaps.push(Gap::Symbol(need.name.clone()));
        } else {
            self.result.counts.listed += 1;
            self.fault(need, SymbolFault::Missing { listed });
        }
    }

    /// A module that uses symbols for GPL modules may not use those of a proprietary one as well, in whatever order
    /// (`inherit_taint` in `kernel/module/main.c`).
    fn proprietary_modules(&mut self) {
        if !self.subject.is_gpl_compatible() {
            return;
        }
        let mut uses_gpl_only = Some(false);
        let mut of_proprietary = Vec::new();
        for need in &self.subject.needs {
            let offer = self.view.offer(&need.name, self.subject);
            match offer {
                Some(offer) if offer.gpl_only => uses_gpl_only = Some(true),
                Some(offer) if offer.owner == Owner::Kernel && self.view.knows_licences() => {}
                Some(KnownExport { owner: Owner::Module(_), .. }) => {}
                _ => uses_gpl_only = uses_gpl_only.filter(|uses| *uses),
            }
            let Some(KnownExport { owner: Owner::Module(module), by_proprietary, .. }) = offer else {
                continue;
            };
            if self.view.is_proprietary(module).unwrap_or(*by_proprietary) {
                of_proprietary.push((need, module));
            }
        }
        for (need, module) in of_proprietary {
            match uses_gpl_only {
                Some(true) => self.fault(need, SymbolFault::Proprietary(module.clone())),
                Some(false) => {}
                None => self.result.gaps.push(Gap::Proprietary(need.name.clone(), module.clone())),
            }
        }
    }

    /// A symbol that the list of all exports does not have.
    fn not_listed(&mut self, need: &Need) {
        if need.weak {
            return;
        }
        self.missing(need, self.view.listed_owner(&need.name).cloned());
    }

    /// A symbol that no module exports: whether other modules of the build need it of the kernel, and as this one
    /// does. Returns whether they settle it.
    fn by_agreement(&mut self, need: &Need) -> bool {
        let agreement = &self.view.agreement;
        let counted = self.question.is_of_build && !agreement.is_outvoted(self.subject);
        let Some(others) = agreement.others(&need.name, need.crc, counted) else { return false };
        let differs = others.crc != need.crc && !self.question.force.modversions;
        match (need.crc, others.crc) {
            (Some(module), Some(kernel)) if differs => {
                if counted && others.count <= others.same + 1 {
                    // One word against the other.
                    self.result.counts.unverified += 1;
                    self.result.gaps.push(Gap::Version(need.name.clone()));
                    return true;
                }
                let witnesses = Some(others.count);
                self.fault(need, SymbolFault::Version { module, kernel, owner: Owner::Kernel, witnesses });
            }
            (None, Some(_)) if differs && self.subject.has_versions && !need.weak => {
                self.fault(need, SymbolFault::NoVersion { owner: Owner::Kernel });
            }
            _ => {}
        }
        self.result.counts.agreed += 1;
        if !self.question.is_of_build {
            self.restrictions_by_agreement(need);
        }
        true
    }

    /// A symbol that nobody else needs. The kernel's image at least knows its name, if it can be read. A
    /// module of the kernel's build was built with the others: unless they show that it was not, the kernel
    /// has what it needs.
    fn without_witness(&mut self, need: &Need) {
        let named = self.view.names.as_ref().map(|names| names.contains(&need.name));
        if named == Some(false) && !need.weak {
            return self.missing(need, None);
        }
        if self.question.is_of_build && !self.view.agreement.is_outvoted(self.subject) {
            self.result.counts.of_build += 1;
            return;
        }
        self.result.counts.unverified += 1;
        if !need.weak {
            let name = need.name.clone();
            self.result.gaps.push(if named.is_some() { Gap::Version(name) } else { Gap::Symbol(name) });
        }
    }

    /// Whether the kernel keeps a symbol from modules like this one, as far as its users show.
    fn restrictions_by_agreement(&mut self, need: &Need) {
        let agreement = &self.view.agreement;
        self.licence_by_agreement(need);
        let namespaces = agreement.namespaces(&need.name);
        let Some(first) = namespaces.first() else { return };
        if !namespaces.iter().any(|namespace| self.subject.imports.contains(namespace)) {
            self.result.gaps.push(Gap::Namespace(need.name.clone(), first.clone()));
        }
    }

    /// Whether the kernel keeps a symbol for GPL modules, as far as its users show.
    fn licence_by_agreement(&mut self, need: &Need) {
        let gap = Gap::GplOnly(need.name.clone());
        // The kernel itself looks at that one, for any module.
        let is_open =
            self.subject.is_gpl_compatible() || self.question.is_of_build || need.name == "module_layout";
        if !is_open
            && !self.view.agreement.is_used_without_gpl(&need.name)
            && !self.result.gaps.contains(&gap)
        {
            self.result.gaps.push(gap);
        }
    }

    /// Whether the module may use the symbols of a namespace. `module:a,b*` is for modules of these names.
    fn may_use(&self, namespace: &[u8]) -> bool {
        let imported = || self.subject.imports.iter().any(|import| *import == namespace);
        let Some(list) = namespace.strip_prefix(b"module:") else {
            return imported() || self.view.allows_missing_imports();
        };
        let name = self.subject.name.as_bytes();
        list.split(|&byte| byte == b',').any(|pattern| {
            let pattern = ModuleName::new(pattern);
            match pattern.as_bytes().strip_suffix(b"*") {
                Some(start) => name.starts_with(start),
                None => name == pattern.as_bytes(),
            }
        })
    }

    /// A symbol of another module: that has to be there first.
    fn depend(&mut self, need: &Need, module: &ModuleName) {
        if !self.result.dependencies.contains(module) {
            self.result.dependencies.push(module.clone());
        }
        let Some(running) = self.view.running.as_ref().filter(|_| self.question.alone && !need.weak) else {
            return;
        };
        match running.state(module) {
            State::Live => {}
            // That the list is not known is among the gaps already.
            State::Unknown => {}
            State::Coming => self.wait_for(module),
            _ => self.fault(need, SymbolFault::NotLoaded(module.clone())),
        }
    }

    /// The kernel waits half a minute for a module whose initialisation has not ended (`resolve_symbol_wait`). Whether that
    /// ends in time nobody knows.
    fn wait_for(&mut self, module: &ModuleName) {
        let is_coming = |running: &Running| running.state(module) == State::Coming;
        let gap = Gap::Moving(module.clone());
        if self.view.running.as_ref().is_some_and(is_coming) && !self.result.gaps.contains(&gap) {
            self.result.gaps.push(gap);
        }
    }

    fn fault(&mut self, need: &Need, fault: SymbolFault) {
        let cause = Cause::Symbol { name: need.name.clone(), fault };
        self.result.findings.push(Finding::verified(cause));
    }
}
