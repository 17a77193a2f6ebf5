// A subject without the marks of an answer or a forward, in whatever language a mail program wrote them.

const MARK = /^\s*(re|fwd?|aw|wg|sv|vs|antw|tr|rv|enc|odp|res|rif|i|回复|答复|转发|រ)(\s*\[\d+\])?\s*[:：]\s*/iu;

export function baseSubject(subject) {
  let rest = subject;
  while (MARK.test(rest)) rest = rest.replace(MARK, "");
  return rest.trim().toLocaleLowerCase();
}
