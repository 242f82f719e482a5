//! What a run would write, for people and programs to look at.

use bstr::{BStr, ByteSlice};

use super::{
    devname::{self, Node},
    facts::Facts,
    omission::{Omission, Omissions},
    output_file::OutputFile,
    tree::TreeFile,
};
use crate::ModuleName;

/// What a [`Run`](super::Run) would write.
#[derive(Debug)]
pub struct Preview {
    files: Vec<TreeFile>,
    facts: Vec<Facts<'static>>,
    dependencies: Vec<Vec<u32>>,
    texts: Vec<OutputFile>,
    omissions: Omissions,
}

/// A module as the indexes would list it.
#[derive(Clone, Copy, Debug)]
pub struct IndexedModule<'a> {
    preview: &'a Preview,
    file: &'a TreeFile,
    facts: &'a Facts<'static>,
    dependencies: &'a [u32],
}

impl Preview {
    pub(super) fn new(
        (files, facts): (Vec<TreeFile>, Vec<Facts<'static>>),
        dependencies: Vec<Vec<u32>>,
        texts: Vec<OutputFile>,
        omissions: Omissions,
    ) -> Self {
        Self { files, facts, dependencies, texts, omissions }
    }

    /// The text files, name and content, in the order in which `depmod -n` prints them.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.texts.iter().map(|text| (text.name, text.bytes.as_slice()))
    }

    /// The modules, in module order.
    pub fn modules(&self) -> impl Iterator<Item = IndexedModule<'_>> {
        let modules = self.files.iter().zip(&self.facts).zip(&self.dependencies);
        modules.map(|((file, facts), dependencies)| IndexedModule {
            preview: self,
            file,
            facts,
            dependencies,
        })
    }

    /// What was not read, and why.
    pub fn omissions(&self) -> &[Omission] {
        self.omissions.as_slice()
    }

    /// Whether everything that is there was read. Where it was not, this would not be written.
    pub fn is_complete(&self) -> bool {
        !self.omissions.has_unread()
    }
}

impl<'a> IndexedModule<'a> {
    /// The module's name.
    pub fn name(&self) -> &'a ModuleName {
        &self.file.name
    }

    /// How the indexes name its file: relative to the module directory, or absolute.
    pub fn path(&self) -> &'a BStr {
        self.file.listed.as_bstr()
    }

    /// The files of all modules that it needs, in the order of `modules.dep`.
    pub fn dependencies(&self) -> impl Iterator<Item = &'a BStr> + use<'a> {
        let files = &self.preview.files;
        self.dependencies.iter().filter_map(|&place| Some(files.get(place as usize)?.listed.as_bstr()))
    }

    /// Its aliases.
    pub fn aliases(&self) -> impl Iterator<Item = &'a BStr> + use<'a> {
        self.facts.aliases.iter().map(ByteSlice::as_bstr)
    }

    /// Its soft dependencies, each as `softdep=` of its `.modinfo` has it.
    pub fn soft_dependencies(&self) -> impl Iterator<Item = &'a BStr> + use<'a> {
        self.facts.softdeps.iter().map(ByteSlice::as_bstr)
    }

    /// Its weak dependencies, each as `weakdep=` of its `.modinfo` has it.
    pub fn weak_dependencies(&self) -> impl Iterator<Item = &'a BStr> + use<'a> {
        self.facts.weakdeps.iter().map(ByteSlice::as_bstr)
    }

    /// The symbols that it exports.
    pub fn symbols(&self) -> impl Iterator<Item = &'a BStr> + use<'a> {
        self.facts.exports.iter().map(|(name, _)| name.as_bstr())
    }

    /// The device node by which it is loaded.
    pub fn device_node(&self) -> Option<Node<'a>> {
        devname::node_of(self.file, self.facts)
    }
}
