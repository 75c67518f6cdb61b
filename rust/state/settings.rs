// SPDX-License-Identifier: GPL-2.0

//! The settings of ports and bridges. Each stands here once: its name, what it may be, its number
//! in netlink, and what it is at first. sysfs, netlink and the module's parameters are made from
//! that.
//!
//! What it takes to add one is a list in `Documentation/design.md`, "Adding a setting".

use core::marker::PhantomData;

use kernel::{c_str, str::CStr};

use crate::{
    kapi::{atomic::AtomicU32, uapi},
    table::Writer,
};

/// What values a setting has.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// 0 or 1. In netlink a `u8`.
    Switch,
    /// One of these words, which stand for 0, 1 and so on. In netlink a `u32`.
    Choice(&'static [&'static str]),
    /// A number, at most this. In netlink a `u32`.
    Number(u32),
}

impl Form {
    /// The greatest value.
    pub(crate) const fn most(self) -> u32 {
        match self {
            Self::Switch => 1,
            Self::Choice(words) => words.len() as u32 - 1,
            Self::Number(most) => most,
        }
    }
}

const UNKNOWN_UNICAST: Form = Form::Choice(&["flood", "suppress"]);
const ON_FAILURE: Form = Form::Choice(&["open", "closed"]);
const FDB_OFFLOAD: Form = Form::Choice(&["off", "auto", "filtered"]);
/// The bridge's own database is given nothing.
pub(crate) const FDB_OFFLOAD_OFF: u32 = uapi::maclearn_fdb_offload_MACLEARN_FDB_OFFLOAD_OFF;
/// It is given MACs wherever that spares copies.
pub(crate) const FDB_OFFLOAD_AUTO: u32 = uapi::maclearn_fdb_offload_MACLEARN_FDB_OFFLOAD_AUTO;
const PORT_MACS: Form = Form::Number(uapi::MACLEARN_MAX_PORT_MACS);

/// The settings of a port: variant, name, form, attribute in netlink, and the bridge's setting that
/// says what it is when the port joins.
macro_rules! port_settings {
    ($with:ident) => {
        $with! {
            /// Copies to the port are filtered.
            Enabled = enabled: Form::Switch, uapi::MACLEARN_A_PORT_ENABLED, AutoEnable;
            /// Sources behind the port are learned.
            Learning = learning: Form::Switch, uapi::MACLEARN_A_PORT_LEARNING, DefaultLearning;
            /// Whether copies for unknown destinations are suppressed.
            UnknownUnicast = unknown_unicast:
                UNKNOWN_UNICAST, uapi::MACLEARN_A_PORT_UNKNOWN_UNICAST, DefaultUnknownUnicast;
            /// Whether frames are dropped on failure, rather than every copy passed.
            OnFailure = on_failure:
                ON_FAILURE, uapi::MACLEARN_A_PORT_ON_FAILURE, DefaultOnFailure;
            /// Greatest number of MACs; 0 is unlimited.
            MaxMacs = max_macs: PORT_MACS, uapi::MACLEARN_A_PORT_MAX_MACS, DefaultMaxMacs;
        }
    };
}
pub(crate) use port_settings;

/// The settings of a bridge: variant, name, form, attribute in netlink, what it is at first, and
/// what `modinfo` says of the parameter that changes that. The last ones have no parameter.
macro_rules! bridge_settings {
    ($with:ident) => {
        $with! {
            /// Ports that join are enabled.
            AutoEnable = auto_enable: Form::Switch, uapi::MACLEARN_A_BRIDGE_AUTO_ENABLE, 0,
                "Initial auto_enable of a bridge: 1 enables ports as they join, present ones included (0)";
            /// Seconds after which a MAC that is not seen is forgotten; 0 is never.
            AgeingTime = ageing_time: Form::Number(uapi::MACLEARN_MAX_AGEING_TIME),
                uapi::MACLEARN_A_BRIDGE_AGEING_TIME, 300,
                "Initial ageing_time of a bridge in seconds, 0 is never (300)";
            /// The newest port takes a MAC from the others.
            Exclusive = exclusive: Form::Switch, uapi::MACLEARN_A_BRIDGE_EXCLUSIVE, 0,
                "Initial exclusive of a bridge: 1 lets the newest port take a MAC from the others (0)";
            /// Greatest number of MACs of all ports together; 0 is unlimited.
            MaxMacs = max_macs: Form::Number(uapi::MACLEARN_MAX_BRIDGE_MACS),
                uapi::MACLEARN_A_BRIDGE_MAX_MACS, 1048576,
                "Initial max_macs of a bridge, 0 is unlimited (1048576)";
            /// Whether the bridge's own database is given MACs, where it may be.
            FdbOffload = fdb_offload: FDB_OFFLOAD,
                uapi::MACLEARN_A_BRIDGE_FDB_OFFLOAD, 1,
                "Initial fdb_offload of a bridge: 0 off, 1 auto, 2 filtered (1)";
            /// `learning` of ports that join.
            DefaultLearning = default_learning:
                Form::Switch, uapi::MACLEARN_A_BRIDGE_DEFAULT_LEARNING, 1,
                "Initial default_learning of a bridge (1)";
            /// `unknown_unicast` of ports that join.
            DefaultUnknownUnicast = default_unknown_unicast:
                UNKNOWN_UNICAST, uapi::MACLEARN_A_BRIDGE_DEFAULT_UNKNOWN_UNICAST, 0,
                "Initial default_unknown_unicast of a bridge: 0 flood, 1 suppress (0)";
            /// `on_failure` of ports that join.
            DefaultOnFailure = default_on_failure:
                ON_FAILURE, uapi::MACLEARN_A_BRIDGE_DEFAULT_ON_FAILURE, 0,
                "Initial default_on_failure of a bridge: 0 open, 1 closed (0)";
            /// `max_macs` of ports that join.
            DefaultMaxMacs = default_max_macs:
                PORT_MACS, uapi::MACLEARN_A_BRIDGE_DEFAULT_MAX_MACS, 4096,
                "Initial default_max_macs of a bridge, 0 is unlimited (4096)";
            ---
            /// Whether the ageing time is that of the bridge, if that learns by itself.
            Ageing = ageing:
                Form::Choice(&["own", "bridge"]), uapi::MACLEARN_A_BRIDGE_AGEING, 1;
        }
    };
}
pub(crate) use bridge_settings;

/// What there is to know of a setting, but what it does.
pub(crate) struct Row {
    /// Its name in sysfs, and of the module's parameter.
    pub(crate) name: &'static CStr,
    /// What values it has.
    pub(crate) form: Form,
    /// Its attribute in netlink.
    pub(crate) attribute: u32,
}

/// The settings of a kind of device.
pub(crate) trait Setting: Copy + Into<usize> + 'static {
    /// All of them, in the order of the table.
    const ALL: &'static [Self];

    /// What there is to know of it.
    fn row(self) -> &'static Row;
}

/// Sees, as it is compiled, that netlink tells settings apart.
const fn are_different(rows: &[Row]) -> bool {
    let mut first = 0;
    while first < rows.len() {
        let mut second = 0;
        while second < first {
            if rows[first].attribute == rows[second].attribute {
                return false;
            }
            second += 1;
        }
        first += 1;
    }
    true
}

macro_rules! settings {
    ($kind:ident, $count:ident, $rows:ident, $(
        $(#[$doc:meta])* $variant:ident = $name:ident: $form:expr, $attribute:expr;
    )*) => {
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $kind {
            $($(#[$doc])* $variant,)*
        }

        const $count: usize = $kind::ALL.len();

        static $rows: [Row; $count] = {
            const ROWS: [Row; $count] = [$(Row {
                name: c_str!(stringify!($name)),
                form: $form,
                attribute: $attribute,
            },)*];
            assert!(are_different(&ROWS));
            ROWS
        };

        impl From<$kind> for usize {
            fn from(setting: $kind) -> usize {
                setting as usize
            }
        }

        impl Setting for $kind {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn row(self) -> &'static Row {
                &$rows[self as usize]
            }
        }
    };
}

macro_rules! define_port {
    ($($(#[$doc:meta])* $variant:ident = $name:ident: $form:expr, $attribute:expr, $first:ident;)*) => {
        settings! {
            PortSetting, PORT_SETTINGS, PORT_ROWS,
            $($(#[$doc])* $variant = $name: $form, $attribute;)*
        }

        impl PortSetting {
            /// What says what it is when a port joins.
            pub(crate) fn default(self) -> BridgeSetting {
                match self {
                    $(Self::$variant => BridgeSetting::$first,)*
                }
            }
        }
    };
}

macro_rules! define_bridge {
    (
        $(
            $(#[$doc:meta])*
            $variant:ident = $name:ident: $form:expr, $attribute:expr, $first:tt, $text:tt;
        )*
        ---
        $(
            $(#[$more_doc:meta])*
            $more:ident = $more_name:ident: $more_form:expr, $more_attribute:expr, $more_first:tt;
        )*
    ) => {
        settings! {
            BridgeSetting, BRIDGE_SETTINGS, BRIDGE_ROWS,
            $($(#[$doc])* $variant = $name: $form, $attribute;)*
            $($(#[$more_doc])* $more = $more_name: $more_form, $more_attribute;)*
        }

        impl BridgeSetting {
            /// What it is at first, but for the module's parameters.
            pub(crate) const fn default(self) -> u32 {
                match self {
                    $(Self::$variant => $first,)*
                    $(Self::$more => $more_first,)*
                }
            }
        }

        $(const _: () = assert!(BridgeSetting::$variant.default() <= $form.most());)*
    };
}

port_settings!(define_port);
bridge_settings!(define_bridge);

/// Most settings that a kind of device has.
const MOST: usize = 16;
const _: () = assert!(PORT_SETTINGS <= MOST && BRIDGE_SETTINGS <= MOST);

/// Settings to change together, each to a value that its form allows; others stay as they are.
#[derive(Clone, Copy)]
pub(crate) struct Change<S: Setting> {
    values: [Option<u32>; MOST],
    _of: PhantomData<S>,
}

impl<S: Setting> Change<S> {
    /// Changes nothing.
    pub(crate) const fn new() -> Self {
        Self {
            values: [None; MOST],
            _of: PhantomData,
        }
    }

    /// The same, and `setting` becomes `value`.
    pub(crate) fn with(mut self, setting: S, value: u32) -> Self {
        self.values[setting.into()] = Some(value);
        self
    }

    /// What a setting becomes.
    pub(crate) fn get(&self, setting: S) -> Option<u32> {
        self.values[setting.into()]
    }

    /// What changes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (S, u32)> + '_ {
        S::ALL
            .iter()
            .filter_map(|&setting| Some((setting, self.get(setting)?)))
    }
}

/// The settings of a bridge, a word each.
pub(crate) struct BridgeSettings([AtomicU32; BRIDGE_SETTINGS]);

impl BridgeSettings {
    /// Makes those of a new bridge: what `initial` says of each.
    pub(crate) fn new(initial: impl Fn(BridgeSetting) -> u32) -> Self {
        let settings = Self([const { AtomicU32::new(0) }; BRIDGE_SETTINGS]);
        for &setting in BridgeSetting::ALL {
            settings.0[setting as usize].store_relaxed(initial(setting));
        }
        settings
    }

    /// What one is.
    #[inline(always)]
    pub(crate) fn get(&self, setting: BridgeSetting) -> u32 {
        self.0[setting as usize].load_relaxed()
    }

    /// Sets one. The table's writer stands for its lock.
    pub(crate) fn set(&self, _locked: &Writer, setting: BridgeSetting, value: u32) {
        self.0[setting as usize].store_relaxed(value);
    }
}
