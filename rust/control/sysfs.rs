// SPDX-License-Identifier: GPL-2.0

//! The attributes of ports and bridges in sysfs: how a value is written and what is accepted.
//! Settings and counters are made from their tables.

use core::fmt::{self, Write};

use kernel::{c_str, prelude::*};

use super::{
    network::Network,
    settings::{change_bridge, change_port},
};
use crate::{
    kapi::{
        netdevice::NetDevice,
        pernet, rcu,
        sysfs::{Attribute, Group, Text},
    },
    state::{
        bridge::Bridge,
        counters::{counters, Counter},
        flags::Flag,
        port::Port,
        settings::{
            bridge_settings, port_settings, BridgeSetting, Change, Form, PortSetting, Setting,
        },
    },
    work::forget::forget_learned,
};

/// Fails unless the calling thread may configure `device`.
fn permit(device: &NetDevice) -> Result {
    if device.may_configure() {
        Ok(())
    } else {
        Err(EPERM)
    }
}

/// A decimal number of at most `most`, with nothing around it.
fn parse_number(text: &str, most: u32) -> Result<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EINVAL);
    }
    text.parse()
        .ok()
        .filter(|&number| number <= most)
        .ok_or(EINVAL)
}

/// The value that `text` stands for, one of those that `form` allows.
fn parse(text: &str, form: Form) -> Result<u32> {
    match form {
        Form::Switch if text == "0" => Ok(0),
        Form::Switch if text == "1" => Ok(1),
        Form::Switch => Err(EINVAL),
        Form::Choice(words) => {
            let value = words.iter().position(|&word| word == text);
            value.map(|value| value as u32).ok_or(EINVAL)
        }
        Form::Number(most) => parse_number(text, most),
    }
}

/// Writes a value as [`parse`] reads it.
fn show(out: &mut Text<'_>, form: Form, value: u32) -> fmt::Result {
    match form {
        Form::Choice(words) => {
            out.write_str(words.get(value as usize).copied().unwrap_or_default())
        }
        Form::Switch | Form::Number(_) => write!(out, "{value}"),
    }
}

/// `1`, which asks for something to be done.
fn parse_trigger(text: &str) -> Result {
    if text == "1" {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// Gives a port a setting, if that is permitted and the value was understood.
fn set_port(port: &Port, setting: PortSetting, text: &str) -> Result {
    permit(&port.device)?;
    let change = Change::new().with(setting, parse(text, setting.row().form)?);
    // The device stays in its namespace until its directory is gone, which waits for this.
    let network = rcu::read(|section| pernet::get::<Network>(port.device.net_rcu(section)));
    change_port(&*network.ok_or(ENODEV)?, port, &change)
}

/// Gives a bridge a setting, if that is permitted and the value was understood.
fn set_bridge(bridge: &Bridge, setting: BridgeSetting, text: &str) -> Result {
    permit(&bridge.device)?;
    let value = parse(text, setting.row().form)?;
    change_bridge(bridge, &Change::new().with(setting, value));
    Ok(())
}

macro_rules! port_attributes {
    ($($(#[$_doc:meta])* $variant:ident = $name:ident: $form:expr, $_attribute:expr, $_first:ident;)*) => {
        static PORT_SETTINGS: [Attribute<Port>; PortSetting::ALL.len()] = [$(
            Attribute::read_write(
                c_str!(stringify!($name)),
                |port, out| {
                    let setting = PortSetting::$variant;
                    show(out, setting.row().form, port.setting(setting))
                },
                |port, text| set_port(port, PortSetting::$variant, text),
            ),
        )*];
    };
}
port_settings!(port_attributes);

macro_rules! bridge_attributes {
    (
        $($(#[$_doc:meta])* $variant:ident = $name:ident:
            $_form:expr, $_attribute:expr, $_first:tt, $_text:tt;)*
        ---
        $($(#[$_more_doc:meta])* $more:ident = $more_name:ident:
            $_more_form:expr, $_more_attribute:expr, $_more_first:tt;)*
    ) => {
        static BRIDGE_SETTINGS: [Attribute<Bridge>; BridgeSetting::ALL.len()] = [
            $(bridge_attributes!(one $variant $name),)*
            $(bridge_attributes!(one $more $more_name),)*
        ];
    };
    (one $variant:ident $name:ident) => {
        Attribute::read_write(
            c_str!(stringify!($name)),
            |bridge, out| {
                let setting = BridgeSetting::$variant;
                show(out, setting.row().form, bridge.settings.get(setting))
            },
            |bridge, text| set_bridge(bridge, BridgeSetting::$variant, text),
        )
    };
}
bridge_settings!(bridge_attributes);

static PORT_STATE: [Attribute<Port>; 4] = [
    Attribute::write_only(c"flush", |port, text| {
        permit(&port.device)?;
        parse_trigger(text)?;
        forget_learned(&port.bridge, Some(port));
        Ok(())
    }),
    Attribute::read_only(c"n_macs", |port, out| write!(out, "{}", port.macs())),
    Attribute::read_only(c"failing_open", |port, out| {
        show(
            out,
            Form::Switch,
            port.flags().has(Flag::FailingOpen).into(),
        )
    }),
    Attribute::read_only(c"limit_reached", |port, out| {
        show(out, Form::Switch, port.flags().has(Flag::AtLimit).into())
    }),
];

static BRIDGE_STATE: [Attribute<Bridge>; 4] = [
    Attribute::write_only(c"flush", |bridge, text| {
        permit(&bridge.device)?;
        parse_trigger(text)?;
        forget_learned(bridge, None);
        Ok(())
    }),
    Attribute::read_only(c"n_macs", |bridge, out| {
        write!(out, "{}", bridge.table.total())
    }),
    Attribute::read_only(c"n_offloaded", |bridge, out| {
        write!(out, "{}", bridge.table.offloaded())
    }),
    Attribute::read_only(c"memory", |bridge, out| {
        write!(out, "{}", bridge.table.memory_bytes())
    }),
];

macro_rules! statistics {
    ($($(#[$_doc:meta])* $variant:ident = $name:ident: $_attribute:expr;)*) => {
        static PORT_STATISTICS: [Attribute<Port>; Counter::ALL.len()] =
            [$(statistics!(one Port $variant $name),)*];
        /// Summed over the bridge's ports.
        static BRIDGE_STATISTICS: [Attribute<Bridge>; Counter::ALL.len()] =
            [$(statistics!(one Bridge $variant $name),)*];
    };
    (one $type:ident $variant:ident $name:ident) => {
        Attribute::<$type>::read_only(c_str!(stringify!($name)), |of, out| {
            write!(out, "{}", of.count_of(Counter::$variant))
        })
    };
}
counters!(statistics);

/// What `/sys/class/net/PORT/maclearn` holds.
pub(crate) static PORT: &[Group<Port>] = &[
    Group {
        name: None,
        attributes: &PORT_SETTINGS,
    },
    Group {
        name: None,
        attributes: &PORT_STATE,
    },
    Group {
        name: Some(c"statistics"),
        attributes: &PORT_STATISTICS,
    },
];

/// What `/sys/class/net/BRIDGE/maclearn` holds.
pub(crate) static BRIDGE: &[Group<Bridge>] = &[
    Group {
        name: None,
        attributes: &BRIDGE_SETTINGS,
    },
    Group {
        name: None,
        attributes: &BRIDGE_STATE,
    },
    Group {
        name: Some(c"statistics"),
        attributes: &BRIDGE_STATISTICS,
    },
];

#[kernel::macros::kunit_tests(maclearn_sysfs)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain_decimals_in_range() {
        let form = Form::Number(10);
        assert_eq!(parse("0", form), Ok(0));
        assert_eq!(parse("10", form), Ok(10));
        for text in [
            "",
            " ",
            "11",
            "-1",
            "+1",
            "0x1",
            "1 ",
            " 1",
            "1\n",
            "1.0",
            "١",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text, form), Err(EINVAL));
        }
    }

    #[test]
    fn switches_are_0_or_1() {
        assert_eq!(parse("0", Form::Switch), Ok(0));
        assert_eq!(parse("1", Form::Switch), Ok(1));
        for text in ["", "2", "y", "on", "01", "1 ", "\0"] {
            assert_eq!(parse(text, Form::Switch), Err(EINVAL));
        }
    }

    #[test]
    fn words_are_exact() {
        let form = PortSetting::UnknownUnicast.row().form;
        assert_eq!(parse("flood", form), Ok(0));
        assert_eq!(parse("suppress", form), Ok(1));
        for text in ["", "FLOOD", "Flood", "floo", "floods", "0", "open"] {
            assert_eq!(parse(text, form), Err(EINVAL));
        }
    }

    #[test]
    fn triggers_take_1() {
        assert_eq!(parse_trigger("1"), Ok(()));
        for text in ["", "0", "2", "11"] {
            assert_eq!(parse_trigger(text), Err(EINVAL));
        }
    }
}
