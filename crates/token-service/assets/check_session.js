'use strict';
// SHA-256 (FIPS 180-4) of an ASCII text, in base64url. Not crypto.subtle: that answers later, and answers here keep their order.
var K = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2];
function rotate(x, n) { return x >>> n | x << 32 - n; }
function sha256(text) {
  var h = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
  var words = [], count = (text.length + 8 >> 6) + 1 << 4, i, j;
  for (i = 0; i < count; i++) words[i] = 0;
  for (i = 0; i < text.length; i++) words[i >> 2] |= text.charCodeAt(i) << 24 - i % 4 * 8;
  words[text.length >> 2] |= 0x80 << 24 - text.length % 4 * 8;
  words[count - 1] = text.length * 8;
  for (i = 0; i < count; i += 16) {
    var w = words.slice(i, i + 16), v = h.slice();
    for (j = 0; j < 64; j++) {
      if (j > 15) {
        var a = w[j - 15], b = w[j - 2];
        w[j] = w[j - 16] + w[j - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >>> 3) + (rotate(b, 17) ^ rotate(b, 19) ^ b >>> 10) | 0;
      }
      var e = v[4], one = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (e & v[5] ^ ~e & v[6]) + K[j] + w[j];
      var c = v[0], two = (rotate(c, 2) ^ rotate(c, 13) ^ rotate(c, 22)) + (c & v[1] ^ c & v[2] ^ v[1] & v[2]);
      v = [one + two | 0, c, v[1], v[2], v[3] + one | 0, e, v[5], v[6]];
    }
    for (j = 0; j < 8; j++) h[j] = h[j] + v[j] | 0;
  }
  var bytes = '';
  for (i = 0; i < 32; i++) bytes += String.fromCharCode(h[i >> 2] >>> 24 - i % 4 * 8 & 255);
  return btoa(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
}
// OpenID Connect Session Management 1.0, section 3.2: "client_id session_state" in, one word out.
addEventListener('message', function (event) {
  if (typeof event.data !== 'string' || !event.source) return;
  var parts = /^([A-Za-z0-9._-]{1,64}) ([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{1,64})$/.exec(event.data);
  var cookie = /(?:^|; )__Host-stampmill-state=([A-Za-z0-9_-]{43})(?:;|$)/.exec(document.cookie);
  var state = parts && sha256(parts[1] + ' ' + event.origin + ' ' + (cookie ? cookie[1] : '') + ' ' + parts[3]);
  event.source.postMessage(!parts ? 'error' : state === parts[2] ? 'unchanged' : 'changed', event.origin);
});
