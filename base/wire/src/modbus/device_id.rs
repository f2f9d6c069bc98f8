//! Read Device Identification, function code 43 with interface 14 (the specification, section 6.21).
//!
//! # Theory of operation
//! A device has objects: a number and a text each. 0 to 2 are *basic* and mandatory (vendor, product code, revision),
//! 3 to 127 *regular*, 128 to 255 *extended*. A client asks for one of the first three categories as a stream, from a
//! given object on, or for one object by number. A stream that does not fit one PDU says "more follows" and with
//! which object to go on. [`DeviceIdentity`] is the device's side of that.

use std::collections::BTreeMap;

use super::bounded::CountError;
use super::octets::Octets;
use super::{ExceptionCode, PduError, mbap};

/// Number of an identification object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u8);

impl ObjectId {
    /// Vendor name. Basic.
    pub const VENDOR_NAME: Self = Self(0);
    /// Product code. Basic.
    pub const PRODUCT_CODE: Self = Self(1);
    /// Major and minor revision. Basic.
    pub const REVISION: Self = Self(2);
    /// Vendor's URL. Regular.
    pub const VENDOR_URL: Self = Self(3);
    /// Product name. Regular.
    pub const PRODUCT_NAME: Self = Self(4);
    /// Model name. Regular.
    pub const MODEL_NAME: Self = Self(5);
    /// What the owner calls the application. Regular.
    pub const USER_APPLICATION_NAME: Self = Self(6);

    /// The specification's name, `None` for 7 and above.
    pub fn name(self) -> Option<&'static str> {
        [
            "VendorName",
            "ProductCode",
            "MajorMinorRevision",
            "VendorUrl",
            "ProductName",
            "ModelName",
            "UserApplicationName",
        ]
        .get(usize::from(self.0))
        .copied()
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadDeviceIdCode {
    /// 1: objects 0 to 2, as a stream.
    Basic,
    /// 2: objects 0 to 127, as a stream.
    Regular,
    /// 3: objects 0 to 255, as a stream.
    Extended,
    /// 4: one object.
    Specific,
}

impl ReadDeviceIdCode {
    /// The code of 1 to 4.
    pub fn from_octet(octet: u8) -> Option<Self> {
        [Self::Basic, Self::Regular, Self::Extended, Self::Specific]
            .get(usize::from(octet).wrapping_sub(1))
            .copied()
    }

    /// The octet on the wire.
    pub fn octet(self) -> u8 {
        self as u8 + 1
    }

    fn last_object(self) -> u8 {
        match self {
            Self::Basic => 2,
            Self::Regular => 127,
            Self::Extended | Self::Specific => 255,
        }
    }
}

/// Octets of a page's objects, number and length included, at most.
pub const PAGE_OCTETS_MAX: usize = mbap::PDU_MAX - 7;

/// One response: some of the objects that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceIdPage {
    /// What was asked for.
    pub code: ReadDeviceIdCode,
    /// What the device can give: 1 to 3 for basic, regular and extended; 0x80 more if it answers for single objects too.
    pub conformity: u8,
    /// With which object to go on, if there are more.
    pub next: Option<ObjectId>,
    objects: Vec<(ObjectId, Vec<u8>)>,
}

impl DeviceIdPage {
    /// A page without objects yet.
    pub fn new(code: ReadDeviceIdCode, conformity: u8) -> Self {
        Self { code, conformity, next: None, objects: Vec::new() }
    }

    /// Adds an object if the PDU still has room for it.
    pub fn push(&mut self, id: ObjectId, value: &[u8]) -> Result<(), CountError> {
        let octets = self.octets() + 2 + value.len();
        if octets > PAGE_OCTETS_MAX {
            return Err(CountError { got: octets, min: 0, max: PAGE_OCTETS_MAX });
        }
        self.objects.push((id, value.to_vec()));
        Ok(())
    }

    /// The objects in the order of the wire.
    pub fn objects(&self) -> &[(ObjectId, Vec<u8>)] {
        &self.objects
    }

    fn octets(&self) -> usize {
        self.objects.iter().map(|(_, value)| 2 + value.len()).sum()
    }

    pub(super) fn parse(octets: &mut Octets<'_>) -> Result<Self, PduError> {
        let got = octets.octet()?;
        let code = ReadDeviceIdCode::from_octet(got).ok_or(PduError::ReadDeviceIdCode { got })?;
        let mut page = Self::new(code, octets.octet()?);
        let (more, next, count) = (octets.octet()?, octets.octet()?, octets.octet()?);
        page.next = (more != 0).then_some(ObjectId(next));
        for _ in 0..count {
            let (id, length) = (ObjectId(octets.octet()?), usize::from(octets.octet()?));
            let value = octets.take(length)?;
            page.push(id, value).map_err(|error| PduError::ByteCountLimit {
                got: error.got,
                min: error.min,
                max: error.max,
            })?;
        }
        Ok(page)
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        let (more, next) = self.next.map_or((0, 0), |next| (0xff, next.0));
        out.extend_from_slice(&[self.code.octet(), self.conformity, more, next, self.objects.len() as u8]);
        for (id, value) in &self.objects {
            out.extend_from_slice(&[id.0, value.len() as u8]);
            out.extend_from_slice(value);
        }
    }
}

/// All the objects of a device, and how it answers for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceIdentity {
    objects: BTreeMap<u8, Vec<u8>>,
}

impl DeviceIdentity {
    /// The three mandatory objects.
    pub fn new(vendor: &str, product_code: &str, revision: &str) -> Self {
        let mut identity = Self::default();
        for (id, text) in [
            (ObjectId::VENDOR_NAME, vendor),
            (ObjectId::PRODUCT_CODE, product_code),
            (ObjectId::REVISION, revision),
        ] {
            identity.set(id, text);
        }
        identity
    }

    /// Adds or replaces an object. A text is cut at 244 octets, what one PDU can carry.
    pub fn set(&mut self, id: ObjectId, text: &str) {
        let octets = text.as_bytes();
        self.objects.insert(id.0, octets[..octets.len().min(PAGE_OCTETS_MAX - 2)].to_vec());
    }

    /// The object's text.
    pub fn get(&self, id: ObjectId) -> Option<&[u8]> {
        self.objects.get(&id.0).map(Vec::as_slice)
    }

    /// The highest category with an object in it, single objects supported.
    pub fn conformity(&self) -> u8 {
        match self.objects.keys().next_back() {
            Some(128..) => 0x83,
            Some(3..) => 0x82,
            _ => 0x81,
        }
    }

    /// What the device answers. A stream from an object that does not exist starts over from the first; a single
    /// object that does not exist is exception 2. (The specification, section 6.21, text under "Object Id".)
    pub fn answer(&self, code: ReadDeviceIdCode, from: ObjectId) -> Result<DeviceIdPage, ExceptionCode> {
        let mut page = DeviceIdPage::new(code, self.conformity());
        if code == ReadDeviceIdCode::Specific {
            let value = self.get(from).ok_or(ExceptionCode::IllegalDataAddress)?;
            page.push(from, value).map_err(|_| ExceptionCode::ServerDeviceFailure)?;
            return Ok(page);
        }
        let known = from.0 <= code.last_object() && self.objects.contains_key(&from.0);
        let first = if known { from.0 } else { 0 };
        for (&id, value) in self.objects.range(first..=code.last_object()) {
            if page.push(ObjectId(id), value).is_err() {
                page.next = Some(ObjectId(id));
                break;
            }
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> DeviceIdentity {
        let mut identity = DeviceIdentity::new("Norrvatten Automation", "NVA-200", "V2.11");
        identity.set(ObjectId::MODEL_NAME, &"m".repeat(220));
        identity.set(ObjectId(0x80), &"x".repeat(100));
        identity
    }

    #[test]
    fn a_stream_goes_on_where_it_stopped() {
        let identity = identity();
        let first = identity.answer(ReadDeviceIdCode::Extended, ObjectId(0)).unwrap();
        assert_eq!(first.next, Some(ObjectId(5)));
        assert_eq!(first.objects().len(), 3);
        let second = identity.answer(ReadDeviceIdCode::Extended, ObjectId(5)).unwrap();
        assert_eq!((second.next, second.objects().len()), (Some(ObjectId(0x80)), 1));
        let third = identity.answer(ReadDeviceIdCode::Extended, ObjectId(0x80)).unwrap();
        assert_eq!((third.next, third.objects().len()), (None, 1));
    }

    #[test]
    fn categories_end_where_they_should() {
        let identity = identity();
        let ids = |code| {
            let page: DeviceIdPage = identity.answer(code, ObjectId(0)).unwrap();
            page.objects().iter().map(|(id, _)| id.0).collect::<Vec<_>>()
        };
        assert_eq!(ids(ReadDeviceIdCode::Basic), [0, 1, 2]);
        assert_eq!(identity.conformity(), 0x83);
        assert_eq!(DeviceIdentity::new("a", "b", "c").conformity(), 0x81);
    }

    #[test]
    fn unknown_objects_start_a_stream_over_and_are_exception_2_alone() {
        let identity = identity();
        let page = identity.answer(ReadDeviceIdCode::Basic, ObjectId(77)).unwrap();
        assert_eq!(page.objects()[0].0, ObjectId(0));
        assert_eq!(
            identity.answer(ReadDeviceIdCode::Specific, ObjectId(77)),
            Err(ExceptionCode::IllegalDataAddress)
        );
    }

    #[test]
    fn a_text_longer_than_a_pdu_is_cut() {
        let mut identity = identity();
        identity.set(ObjectId::MODEL_NAME, &"m".repeat(300));
        let page = identity.answer(ReadDeviceIdCode::Specific, ObjectId::MODEL_NAME).unwrap();
        assert_eq!(page.objects()[0].1.len(), 244);
    }
}
