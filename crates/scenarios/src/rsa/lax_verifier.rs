/// Whether the content of a signature is the hash, read as it comes. This is the mistake.
pub(super) fn parses(content: &[u8], hash: &[u8]) -> Option<()> {
    let rest = content.strip_prefix(&[0, 1])?;
    let filling = rest.iter().take_while(|&&byte| byte == 0xff).count();
    let rest = rest[filling..].strip_prefix(&[0])?;
    let rest = rest.strip_prefix(&super::DIGEST_INFO)?;
    (filling >= 8 && rest.starts_with(hash)).then_some(())
}
