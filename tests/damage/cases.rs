//! A seed and a number determine a case: a file, its damage, and a tool that reads it.

use testkit::Compression;
use testkit::damage::{self, Damage, Rng};

use crate::subjects::{Content, Subject, compression};

/// One damaged file and one tool.
pub(crate) struct DamageCase {
    pub(crate) seed: u64,
    pub(crate) number: usize,
    pub(crate) damage: Damage,
    pub(crate) bytes: Vec<u8>,
    pub(crate) setting: Baseline,
}

/// What a case shares with the same tool's run on the undamaged file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Baseline {
    /// Which of the subjects.
    pub(crate) subject: usize,
    /// Which of its actions.
    pub(crate) action: usize,
    /// The number of a module file's compression.
    form: u8,
}

impl Baseline {
    /// The compression of the file, if it is a module.
    pub(crate) fn compression(self) -> Compression {
        compression(self.form)
    }

    /// The undamaged file.
    pub(crate) fn undamaged(self, subject: &Subject) -> Vec<u8> {
        match &subject.content {
            Content::Module(image) => self.compression().compress(image),
            Content::Index(bytes) | Content::Text(bytes) => bytes.clone(),
        }
    }

    /// The path of the file in the directory of a case.
    pub(crate) fn place(self, subject: &Subject) -> String {
        match subject.content {
            Content::Module(_) => format!("{}{}", subject.place, self.compression().suffix()),
            _ => subject.place.clone(),
        }
    }
}

impl DamageCase {
    pub(crate) fn new(subjects: &[Subject], seed: u64, number: usize) -> DamageCase {
        // Neighbouring numbers must give unrelated cases.
        let mut mixer = Rng::with_seed(seed);
        let rng = &mut Rng::with_seed(mixer.u64(..) ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Half of the cases are modules, the largest group; on indexes kmod crashes.
        let group = ["modules", "modules", "indexes", "indexes", "texts"][rng.usize(..5)];
        let of_group: Vec<usize> = (0..subjects.len()).filter(|at| subjects[*at].group == group).collect();
        let at = of_group[rng.usize(..of_group.len())];
        let subject = &subjects[at];
        let setting = Baseline { subject: at, action: rng.usize(..subject.actions.len()), form: rng.u8(..4) };
        let (bytes, damage) = match &subject.content {
            Content::Module(image) => damage::module(image, setting.compression(), rng),
            Content::Index(bytes) => damage::index(bytes, rng),
            Content::Text(bytes) => damage::text(bytes, rng),
        };
        DamageCase { seed, number, damage, bytes, setting }
    }

    /// A description of the case: the file, the damage, and how to repeat it.
    pub(crate) fn describe(&self, subjects: &[Subject]) -> String {
        let subject = &subjects[self.setting.subject];
        let action = &subject.actions[self.setting.action];
        format!(
            "seed {seed} case {number}: {} ({}), {}: {}; {} {}\n  \
             to repeat: cargo xtask damage --seed {seed} --only {number}",
            subject.label,
            self.setting.place(subject),
            self.damage.kind,
            self.damage.detail,
            action.tool,
            action.args.join(" "),
            seed = self.seed,
            number = self.number,
        )
    }
}
