//! Pixels as a PNG file (ISO/IEC 15948).

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Eight bits of red, green and blue; deflate, one filter a row, rows in order.
const RGB8: [u8; 5] = [8, 2, 0, 0, 0];
/// The filter that leaves a row as it is: figures are flat, so that it packs best.
const NO_FILTER: u8 = 0;

/// The file of rows of red, green and blue.
pub(super) fn encode(pixels: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    let mut file = SIGNATURE.to_vec();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &RGB8].concat();
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &deflated(pixels, 3 * width as usize));
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn deflated(pixels: &[u8], row: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    for row in pixels.chunks(row.max(1)) {
        // Writing to a Vec does not fail.
        let _ = encoder.write_all(&[NO_FILTER]);
        let _ = encoder.write_all(row);
    }
    encoder.finish().unwrap_or_default()
}

/// Appends the length, the kind, the content, and the checksum of the last two.
fn chunk(file: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    file.extend((content.len() as u32).to_be_bytes());
    let begin = file.len();
    file.extend(kind);
    file.extend(content);
    let sum = crc32fast::hash(&file[begin..]);
    file.extend(sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_file_holds_its_pixels() {
        let pixels: Vec<u8> = (0..2 * 3 * 3).collect();
        let file = encode(&pixels, (3, 2));
        // Of the standard's annex: an empty IEND always has this checksum.
        assert!(file.starts_with(&SIGNATURE) && file.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
        assert_eq!(file[8..16], *b"\0\0\0\x0dIHDR");
        assert_eq!(file[16..29], [0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
        let length = u32::from_be_bytes(file[33..37].try_into().unwrap()) as usize;
        let mut rows = Vec::new();
        flate2::read::ZlibDecoder::new(&file[41..41 + length]).read_to_end(&mut rows).unwrap();
        assert_eq!(rows, [&[0], &pixels[..9], &[0], &pixels[9..]].concat());
    }
}
