/** The processes of one program, for what only all of them together know or can do. */

/**
 * Makes a function that asks every process that serves, this one too, and gives their answers in no
 * order. `answer` runs in each of them; question and answer must survive JSON. Rejects with
 * internal_error when one of them fails or does not answer in time.
 */
export type AskAll = <Question, Answer>(
  topic: string,
  answer: (question: Question) => Answer | Promise<Answer>,
) => Ask<Question, Answer>;

/**
 * `standing`: a name under which the question is kept, in place of the last one of that name, and
 * put to processes that are born later, before they serve.
 */
export type Ask<Question, Answer> = (question: Question, standing?: string) => Promise<readonly Answer[]>;
