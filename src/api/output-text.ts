export { cutRange, encodeRange, TEXT_MIN_BYTES, type Encoding } from '../runtime/output/text-range.js';
