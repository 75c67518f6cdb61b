// SPDX-License-Identifier: GPL-2.0

//! The module's parameters: what the settings of a bridge are at first.

use core::borrow::Borrow;

use kernel::prelude::*;

use crate::{
    module_parameters,
    state::settings::{bridge_settings, BridgeSetting, Setting},
};

macro_rules! parameters {
    (
        $($(#[$_doc:meta])* $variant:ident = $name:ident:
            $_form:expr, $_attribute:expr, $_first:tt, $_text:tt;)*
        ---
        $($(#[$_more_doc:meta])* $more:ident = $_more_name:ident:
            $_more_form:expr, $_more_attribute:expr, $_more_first:tt;)*
    ) => {
        /// The value of a setting's parameter, if it has one.
        fn given(setting: BridgeSetting) -> Option<u32> {
            match setting {
                $(BridgeSetting::$variant => Some(number(module_parameters::$name.value())),)*
                $(BridgeSetting::$more => None,)*
            }
        }
    };
}
bridge_settings!(parameters);

/// The value of a parameter, which the `kernel` crate hands out itself since 7.3, by reference
/// before.
fn number(value: impl Borrow<u32>) -> u32 {
    *value.borrow()
}

/// What a setting of a new bridge is, by the parameters that [`check`] has accepted.
pub(crate) fn initial(setting: BridgeSetting) -> u32 {
    match setting {
        // A time that was chosen is its own.
        BridgeSetting::Ageing if is_chosen(BridgeSetting::AgeingTime) => 0,
        setting => given(setting).unwrap_or(setting.default()),
    }
}

fn is_chosen(setting: BridgeSetting) -> bool {
    given(setting).is_some_and(|value| value != setting.default())
}

/// Refuses values that are out of range.
///
/// # Errors
///
/// `EINVAL`, and the kernel log says which.
pub(crate) fn check() -> Result {
    for &setting in BridgeSetting::ALL {
        let (row, most) = (setting.row(), setting.row().form.most());
        if let Some(value) = given(setting).filter(|&value| value > most) {
            let name = row.name.to_str().unwrap_or_default();
            pr_err!("{name} is {value}, it may be 0 to {most}\n");
            return Err(EINVAL);
        }
    }
    Ok(())
}
