//! Fragments to be written: header, object headers, objects.

use super::object::{Point, Qualifier, Shape, Unfit, Value, shape};
use super::{AppControl, FunctionCode, Iin};

/// A fragment under construction. What can be built can be read back by [`super::Fragment`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentBuilder {
    octets: Vec<u8>,
}

impl FragmentBuilder {
    /// Begins a request.
    pub fn request(control: AppControl, function: FunctionCode) -> Self {
        Self { octets: vec![control.0, function.0] }
    }

    /// Begins a response.
    pub fn response(control: AppControl, function: FunctionCode, iin: Iin) -> Self {
        let [first, second] = iin.octets();
        Self { octets: vec![control.0, function.0, first, second] }
    }

    /// Names all points of a group (qualifier 06).
    #[must_use]
    pub fn all(mut self, group: u8, variation: u8) -> Self {
        self.octets.extend([group, variation, Qualifier::ALL.0]);
        self
    }

    /// Names a range of points (qualifier 00 or 01).
    #[must_use]
    pub fn range(mut self, group: u8, variation: u8, start: u16, stop: u16) -> Self {
        self.octets.extend([group, variation]);
        if let (Ok(start), Ok(stop)) = (u8::try_from(start), u8::try_from(stop)) {
            self.octets.extend([Qualifier::RANGE_8.0, start, stop]);
        } else {
            self.octets.push(Qualifier::RANGE_16.0);
            self.octets.extend(start.to_le_bytes());
            self.octets.extend(stop.to_le_bytes());
        }
        self
    }

    /// Says how many, without saying which (qualifier 07 or 08).
    #[must_use]
    pub fn count(mut self, group: u8, variation: u8, count: u16) -> Self {
        self.octets.extend([group, variation]);
        if let Ok(count) = u8::try_from(count) {
            self.octets.extend([Qualifier::COUNT_8.0, count]);
        } else {
            self.octets.push(Qualifier::COUNT_16.0);
            self.octets.extend(count.to_le_bytes());
        }
        self
    }

    /// A range of points from `start` on with their objects; packed where the variation is.
    ///
    /// [`Unfit`] where a value does not fit the variation, there is no point, or their indices end beyond 65,535.
    pub fn points(self, group: u8, variation: u8, start: u16, points: &[Point<'_>]) -> Result<Self, Unfit> {
        let last = points.len().checked_sub(1).and_then(|last| u16::try_from(last).ok()).ok_or(Unfit)?;
        let stop = start.checked_add(last).ok_or(Unfit)?;
        let mut built = self.range(group, variation, start, stop);
        match shape(group, variation).ok_or(Unfit)? {
            Shape::Bits => built.packed(points, 1)?,
            Shape::DoubleBits => built.packed(points, 2)?,
            shape => points.iter().try_for_each(|point| point.emit(shape, &mut built.octets))?,
        }
        Ok(built)
    }

    /// Objects that only count: times, delays (qualifier 07). At most 255.
    pub fn counted(self, group: u8, variation: u8, points: &[Point<'_>]) -> Result<Self, Unfit> {
        let count = u8::try_from(points.len()).map_err(|_| Unfit)?;
        let shape = shape(group, variation).ok_or(Unfit)?;
        let mut built = self.count(group, variation, count.into());
        points.iter().try_for_each(|point| point.emit(shape, &mut built.octets))?;
        Ok(built)
    }

    /// Points with their indices before them (qualifier 17 or 28). A point without an index is [`Unfit`].
    pub fn indexed(mut self, group: u8, variation: u8, points: &[Point<'_>]) -> Result<Self, Unfit> {
        let shape = shape(group, variation).ok_or(Unfit)?;
        let short =
            points.len() < 256 && points.iter().all(|point| point.index.is_some_and(|index| index < 256));
        self.octets.extend([group, variation]);
        if short {
            self.octets.extend([Qualifier::INDEXED_8.0, points.len() as u8]);
        } else {
            self.octets.push(Qualifier::INDEXED_16.0);
            self.octets.extend(u16::try_from(points.len()).map_err(|_| Unfit)?.to_le_bytes());
        }
        for point in points {
            let index = point.index.and_then(|index| u16::try_from(index).ok()).ok_or(Unfit)?;
            if short {
                self.octets.push(index as u8);
            } else {
                self.octets.extend(index.to_le_bytes());
            }
            point.emit(shape, &mut self.octets)?;
        }
        Ok(self)
    }

    /// Objects with their sizes before them (qualifier 5B). At most 255 objects of at most 65,535 octets.
    pub fn free_format(mut self, group: u8, variation: u8, objects: &[&[u8]]) -> Result<Self, Unfit> {
        let count = u8::try_from(objects.len()).map_err(|_| Unfit)?;
        self.octets.extend([group, variation, Qualifier::FREE_FORMAT.0, count]);
        for object in objects {
            self.octets.extend(u16::try_from(object.len()).map_err(|_| Unfit)?.to_le_bytes());
            self.octets.extend_from_slice(object);
        }
        Ok(self)
    }

    /// The octets of the fragment.
    pub fn finish(self) -> Vec<u8> {
        self.octets
    }

    fn packed(&mut self, points: &[Point<'_>], width: usize) -> Result<(), Unfit> {
        let start = self.octets.len();
        self.octets.resize(start + (points.len() * width).div_ceil(8), 0);
        for (number, point) in points.iter().enumerate() {
            let bits = match (point.value, width) {
                (Value::Bit(bit), 1) => u8::from(bit),
                (Value::DoubleBit(bits), 2) => bits.bits(),
                _ => return Err(Unfit),
            };
            let place = number * width;
            self.octets[start + place / 8] |= bits << (place % 8);
        }
        Ok(())
    }
}
