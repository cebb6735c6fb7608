package gateway

import "github.com/nself-org/nself/internal/action"

// maxAnswerBytes bounds an answer beyond what a handler may say. It is above the largest schema that anybody shows.
const maxAnswerBytes = 64 << 20

// maxAnswer bounds what one request is answered, all operations of a batch together.
func (x *exchange) maxAnswer() int { return maxAnswerBytes + x.engine.opt.MaxResponseBytes }

func answerTooLarge() *action.Error {
	return &action.Error{Code: action.CodeUnexpected, Message: "the answer is too large"}
}
