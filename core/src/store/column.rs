//! How values stand in columns: a row is read and written in its types, and what is of no such type is a damaged store.
//! What the rows mean belongs to the features.

use protocol::archive::ArchiveKey;
use protocol::chunked::ContentKey;
use protocol::receipt::Reading;
use protocol::seal::PrekeySecret;
use protocol::sign::{Seed, Signature};
use protocol::{Address, ArchiveId, DeviceId, DeviceName, Digest, MessageId, Recipients, Timestamp};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// A type of the protocol that stands in one column. It may not have the traits of `rusqlite` itself: both are foreign here.
pub(crate) trait Stored: Sized {
    /// The column of this value.
    fn to_column(&self) -> ToSqlOutput<'_>;

    /// The value of a column.
    fn of_column(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

/// A value of the protocol on its way into a column, borrowed, or out of one.
pub(crate) struct Column<T>(pub(crate) T);

impl<T: Stored> FromSql for Column<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        T::of_column(value).map(Self)
    }
}

impl<T: Stored> ToSql for Column<&T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_column())
    }
}

impl Stored for Address {
    fn to_column(&self) -> ToSqlOutput<'_> {
        self.as_str().into()
    }

    fn of_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

impl Stored for DeviceName {
    fn to_column(&self) -> ToSqlOutput<'_> {
        self.as_str().into()
    }

    fn of_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

/// One address a line.
impl Stored for Recipients {
    fn to_column(&self) -> ToSqlOutput<'_> {
        let lines: Vec<_> = self.iter().map(Address::as_str).collect();
        lines.join("\n").into()
    }

    fn of_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let lines = value.as_str()?.lines();
        let addresses = lines
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(FromSqlError::other)?;
        Self::new(addresses).map_err(FromSqlError::other)
    }
}

/// Identifiers and secrets: so many bytes, and none more. A secret passes through no buffer that is left behind.
macro_rules! bytes {
    ($($name:ident: $read:expr;)+) => {$(
        impl Stored for $name {
            fn to_column(&self) -> ToSqlOutput<'_> {
                self.as_bytes()[..].into()
            }

            fn of_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let bytes = value.as_blob()?;
                let read: Option<Self> = $read(bytes);
                read.ok_or(FromSqlError::InvalidBlobSize {
                    expected_size: Self::LEN,
                    blob_size: bytes.len(),
                })
            }
        }
    )+};
}

bytes! {
    ArchiveId: |bytes: &[u8]| bytes.try_into().ok();
    ArchiveKey: |bytes: &[u8]| bytes.try_into().map(Self::from_bytes).ok();
    ContentKey: |bytes: &[u8]| bytes.try_into().map(Self::from_bytes).ok();
    DeviceId: |bytes: &[u8]| bytes.try_into().ok();
    Digest: |bytes: &[u8]| bytes.try_into().ok();
    MessageId: |bytes: &[u8]| bytes.try_into().ok();
    PrekeySecret: |bytes: &[u8]| bytes.try_into().map(Self::from_bytes).ok();
    Signature: |bytes: &[u8]| bytes.try_into().ok();
    Seed: |bytes: &[u8]| bytes.try_into().map(Self::from_bytes).ok();
}

/// Nothing is no bytes.
macro_rules! optional {
    ($($name:ident)+) => {$(
        impl Stored for Option<$name> {
            fn to_column(&self) -> ToSqlOutput<'_> {
                self.as_ref().map_or(&[][..], |value| &value.as_bytes()[..]).into()
            }

            fn of_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
                if value.as_blob()?.is_empty() {
                    return Ok(None);
                }
                $name::of_column(value).map(Some)
            }
        }
    )+};
}

optional! { ArchiveId ContentKey DeviceId MessageId Signature }

impl Stored for Reading {
    fn to_column(&self) -> ToSqlOutput<'_> {
        self.number().into()
    }

    fn of_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        Self::of_number(number).ok_or(FromSqlError::OutOfRange(number))
    }
}

impl Stored for Timestamp {
    fn to_column(&self) -> ToSqlOutput<'_> {
        self.as_millis().into()
    }

    fn of_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_millis)
    }
}

/// 0 is "not yet".
impl Stored for Option<Timestamp> {
    fn to_column(&self) -> ToSqlOutput<'_> {
        self.map_or(0, Timestamp::as_millis).into()
    }

    fn of_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = value.as_i64()?;
        Ok((millis != 0).then(|| Timestamp::from_millis(millis)))
    }
}

/// Declares the numbers by which an enum of the core stands in a column: a variant without one does not compile.
macro_rules! numbered {
    ($name:ident { $($variant:ident = $number:literal,)+ }) => {
        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                match value.as_i64()? {
                    $($number => Ok(Self::$variant),)+
                    number => Err(rusqlite::types::FromSqlError::OutOfRange(number)),
                }
            }
        }

        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                let number: i64 = match self {
                    $(Self::$variant => $number,)+
                };
                Ok(number.into())
            }
        }
    };
}

pub(crate) use numbered;

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::StoreError;

    #[derive(Debug)]
    enum Light {
        Green,
        Red,
    }

    numbered! {
        Light {
            Green = 0,
            Red = 7,
        }
    }

    fn read<T: FromSql>(column: impl ToSql) -> Result<T, StoreError> {
        let connection = Connection::open_in_memory().unwrap();
        Ok(connection.query_row("SELECT ?1", [column], |row| row.get(0))?)
    }

    fn comes_back<T: Stored + std::fmt::Debug + PartialEq>(value: &T) {
        let Column(again) = read::<Column<T>>(Column(value)).unwrap();
        assert_eq!(again, *value);
    }

    #[test]
    fn what_is_stored_comes_back() {
        let address: Address = "jean.martin@medical28.apicrypt.org".parse().unwrap();
        let other = "lea.roux@medical28.apicrypt.org".parse().unwrap();
        comes_back(&Digest::of(&[b"one"]));
        comes_back(&Some(MessageId::from_bytes([7; 16])));
        comes_back(&None::<MessageId>);
        comes_back(&None::<Timestamp>);
        comes_back(&Some(Timestamp::from_millis(-1)));
        comes_back(&Reading::Handled);
        comes_back(&Recipients::new(vec![address.clone(), other]).unwrap());
        comes_back(&address);
        assert!(matches!(read::<Light>(Light::Red), Ok(Light::Red)));
        assert!(matches!(read::<Light>(0), Ok(Light::Green)));
    }

    #[test]
    fn what_is_of_no_such_type_is_a_damaged_store() {
        fn is_damage<T>(read: &Result<T, StoreError>) -> bool {
            matches!(read, Err(StoreError::Corrupt))
        }
        assert!(is_damage(&read::<Column<Address>>("jean.martin")));
        assert!(is_damage(&read::<Column<MessageId>>([7_u8; 15])));
        assert!(is_damage(&read::<Column<Option<MessageId>>>([7_u8; 15])));
        assert!(is_damage(&read::<Column<Timestamp>>("yesterday")));
        assert!(is_damage(&read::<Column<Reading>>(9)));
        assert!(is_damage(&read::<Column<Recipients>>("")));
        assert!(is_damage(&read::<Light>(1)));
    }
}
