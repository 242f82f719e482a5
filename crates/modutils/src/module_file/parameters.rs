//! The parameters a module takes, put together from its `.modinfo`.
//!
//! `module_param` and `MODULE_PARM_DESC` (`include/linux/moduleparam.h`) leave an entry each,
//! `parmtype=NAME:TYPE` and `parm=NAME:DESCRIPTION`, in any order; either may be missing.

use std::collections::HashMap;

use bstr::{BStr, ByteSlice};

use super::{Field, ModInfo};

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter<'a> {
    /// Its name.
    pub name: &'a BStr,
    /// What it is for.
    pub description: Option<&'a BStr>,
    /// The C type, or what `module_param` calls it: `int`, `charp`, `array of bool`.
    pub kind: Option<&'a BStr>,
}

/// Parameters.
impl<'a> ModInfo<'a> {
    /// The parameters that the module takes, in the order in which their names first come. Of several
    /// descriptions or types of one the last counts.
    pub fn parameters(&self) -> Vec<Parameter<'a>> {
        let mut parameters: Vec<Parameter<'a>> = Vec::new();
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        for field in self.fields().iter().filter(is_of_parameter) {
            let Some((name, value)) = field.value.split_once_str(":") else { continue };
            let place = *places.entry(name).or_insert(parameters.len());
            if place == parameters.len() {
                parameters.push(Parameter { name: name.as_bstr(), description: None, kind: None });
            }
            let Some(parameter) = parameters.get_mut(place) else { continue };
            let part = if field.key == "parm" { &mut parameter.description } else { &mut parameter.kind };
            *part = Some(value.as_bstr());
        }
        parameters
    }

    /// The entries that are to describe a parameter and name none, for they have no colon.
    pub fn malformed_parameters(&self) -> impl Iterator<Item = &Field<'a>> {
        self.fields().iter().filter(is_of_parameter).filter(|field| !field.value.contains(&b':'))
    }
}

fn is_of_parameter(field: &&Field<'_>) -> bool {
    field.key == "parm" || field.key == "parmtype"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_and_types_find_each_other_in_any_order() {
        let info = ModInfo::parse(
            b"parmtype=a:int\0parm=b:of b: colons\0parm=a:old\0parm=a:of a\0parmtype=b:bool\0parm=bad\0",
        );
        let parameter = |name: &'static str, description: &'static str, kind: &'static str| Parameter {
            name: name.into(),
            description: Some(description.into()),
            kind: Some(kind.into()),
        };
        assert_eq!(
            info.parameters(),
            [parameter("a", "of a", "int"), parameter("b", "of b: colons", "bool")]
        );
        let malformed: Vec<_> = info.malformed_parameters().collect();
        assert_eq!(malformed, [&Field { key: "parm".into(), value: "bad".into() }]);
    }
}
