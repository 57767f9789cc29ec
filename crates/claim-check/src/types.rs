//! Types as values: `type(claims.aud) == list`.

/// The types that a value can have. One table: the type, and its name in CEL.
macro_rules! types {
    ($($type:ident = $name:literal,)*) => {
        /// A type of CEL as a value of CEL.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum TypeName {
            $($type,)*
        }

        impl TypeName {
            const ALL: &[TypeName] = &[$(TypeName::$type,)*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(TypeName::$type => $name,)*
                }
            }
        }
    };
}

types! {
    Bool = "bool",
    Bytes = "bytes",
    Double = "double",
    Duration = "google.protobuf.Duration",
    Int = "int",
    Ip = "net.IP",
    Cidr = "net.CIDR",
    List = "list",
    Map = "map",
    Null = "null_type",
    Optional = "optional_type",
    String = "string",
    Timestamp = "google.protobuf.Timestamp",
    Meta = "type",
    UInt = "uint",
}

impl TypeName {
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|ty| ty.name() == name)
    }

    /// The type with this discriminant.
    pub(crate) fn from_code(code: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}
