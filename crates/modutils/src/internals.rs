//! The private parts, for fuzz targets, benchmarks and tests of this workspace. No promise holds for them.

pub use crate::Sink;

pub mod bytes {
    pub use crate::bytes::*;
}

pub mod config {
    pub use crate::config::{
        by_name::*, deny::*, depmod_d::*, directories::*, entries::*, modprobe_d::*, modutils_d::*,
        statement::*,
    };

    pub mod cmdline {
        pub use crate::config::cmdline::*;
    }

    pub mod lines {
        pub use crate::config::lines::*;
    }
}

pub mod depmod {
    pub use crate::depmod::{analysis::*, tree::*};

    pub mod builtin {
        pub use crate::depmod::builtin::*;
    }
    pub mod cache {
        pub use crate::depmod::cache::*;
    }
    pub mod devname {
        pub use crate::depmod::devname::*;
    }
    pub mod facts {
        pub use crate::depmod::facts::*;
    }
    pub mod graph {
        pub use crate::depmod::graph::*;
    }
    pub mod module_order {
        pub use crate::depmod::module_order::*;
    }
    pub mod omission {
        pub use crate::depmod::omission::*;
    }
    pub mod output_file {
        pub use crate::depmod::output_file::*;
    }
    pub mod output {
        pub use crate::depmod::output::*;
    }
    pub mod quick {
        pub use crate::depmod::quick::*;
    }
    pub mod rows {
        pub use crate::depmod::rows::*;
    }
    pub mod symvers {
        pub use crate::depmod::symvers::*;
    }
}

pub mod elf {
    pub use crate::elf::*;
}

pub mod file {
    pub use crate::file::*;
}

pub mod formats {
    pub mod kernel_config {
        pub use crate::formats::kernel_config::*;
    }
}

pub mod index {
    pub use crate::index::*;
}

pub mod kernel {
    pub use crate::kernel::modules::*;
}

pub mod lookup {
    pub use crate::lookup::*;
}

pub mod refusal {
    pub mod btf {
        pub use crate::diagnose::refusal::btf::*;
        pub use goblin::container::Endian;
    }
    pub mod image {
        pub use crate::diagnose::refusal::image::*;
    }
    pub mod log {
        pub use crate::diagnose::refusal::log::*;
    }
    pub mod table {
        pub use crate::diagnose::refusal::table::*;
    }
}

pub mod module_file {
    use crate::{Result, elf::Elf, file::Contents, module_file::ModuleFile};

    pub use crate::module_file::{builtin::*, parameters::*, signature::*};

    pub fn read_signature(contents: &Contents) -> Result<Option<Signature>> {
        Signature::read(contents)
    }

    pub fn from_elf(elf: Elf) -> Result<ModuleFile> {
        ModuleFile::from_elf(elf)
    }

    pub fn elf(module: &ModuleFile) -> &Elf {
        module.elf()
    }
}
