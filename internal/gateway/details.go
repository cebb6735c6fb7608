package gateway

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/transform"
	"github.com/nself-org/nself/internal/webhook"
)

// callDetails collects what the internal part of an error tells about a call. It is written only when a call failed.
type callDetails struct {
	action      *boundAction
	call        *action.Call
	vars        *transform.RequestVars // nil: there is no request transform
	transformed *transform.Outgoing
	response    *webhook.Response
	body        []byte // of the response, transformed
	unanswered  bool   // the handler could not be reached, or the connection broke
	took        time.Duration
}

// with attaches the details to err. cause is JSON.
func (d *callDetails) with(err *action.Error, cause string) *action.Error {
	err.Internal = d.append(nil, cause, action.ValidJSON(d.body))
	return err
}

// failure makes an error that is not the client's fault, with details.
func (d *callDetails) failure(message, cause string) *action.Error {
	return d.with(&action.Error{
		Status: http.StatusInternalServerError, Message: message, Code: action.CodeUnexpected,
	}, cause)
}

func (d *callDetails) notJSON() *action.Error {
	reason := "Error in $: not a valid json value"
	if len(d.body) == 0 {
		reason = "Error in $: not enough input"
	}
	return d.failure("not a valid json response from webhook", string(action.AppendString(nil, "invalid JSON: "+reason)))
}

func (d *callDetails) badStatus(status int) *action.Error {
	return d.failure("internal error", `"expecting 2xx or 4xx status code, but found `+strconv.Itoa(status)+`"`)
}

// exception reports a call without an answer.
func (d *callDetails) exception(err error, req *webhook.Request) *action.Error {
	message := err.Error()
	if failed, ok := errors.AsType[*webhook.Error](err); ok {
		message = failed.Error()
	}
	host, port, _ := net.SplitHostPort(req.Target.Address())
	method := req.Method
	if method == "" {
		method = http.MethodPost
	}
	b := []byte(`{"type":"http_exception","message":`)
	b = action.AppendString(b, message)
	b = append(b, `,"request":{"host":`...)
	b = action.AppendString(b, host)
	b = append(b, `,"port":`...)
	b = append(b, port...)
	b = append(b, `,"secure":`...)
	b = strconv.AppendBool(b, req.Target.Secure())
	b = append(b, `,"path":`...)
	b = action.AppendString(b, req.Target.Path())
	b = append(b, `,"queryString":`...)
	query := req.Target.Query()
	if query != "" {
		query = "?" + query
	}
	b = action.AppendString(b, query)
	b = append(b, `,"method":`...)
	b = action.AppendString(b, method)
	b = append(b, `,"responseTimeout":"ResponseTimeoutMicro `...)
	b = strconv.AppendInt(b, d.action.waits().Microseconds(), 10)
	b = append(b, `"}}`...)
	return d.failure("http exception when calling webhook", string(b))
}

// append writes the details as JSON. The handler's URL stays a template: what it expands to may be a secret.
func (d *callDetails) append(dst []byte, cause string, bodyIsJSON bool) []byte {
	dst = append(dst, `{"error":`...)
	dst = append(dst, cause...)
	dst = append(dst, `,"request":{"url":`...)
	dst = action.AppendString(dst, d.action.Handler)
	dst = append(dst, `,"action":{"name":`...)
	dst = action.AppendString(dst, d.action.Name)
	dst = append(dst, `},"input":`...)
	dst = append(dst, d.call.Input...)
	dst = append(dst, `,"request_query":`...)
	dst = append(dst, d.call.RequestQuery...)
	dst = append(dst, `,"transformed_request":`...)
	dst = d.appendTransformed(dst)
	dst = append(dst, `},"response":`...)
	if d.response == nil {
		return append(dst, "null}"...)
	}
	dst = append(dst, `{"status":`...)
	dst = strconv.AppendInt(dst, int64(d.response.Status), 10)
	dst = append(dst, `,"body":`...)
	if bodyIsJSON {
		dst = append(dst, action.Trim(action.Text(d.body))...)
	} else { // as the handler sent it, whatever a transform made of it
		dst = action.AppendString(dst, action.Text(d.response.Body))
	}
	dst = append(dst, `,"headers":[`...)
	first := true
	for name, value := range d.response.Header {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, `{"name":`...)
		dst = action.AppendString(dst, name)
		dst = append(dst, `,"value":`...)
		dst = action.AppendString(dst, value)
		dst = append(dst, '}')
	}
	return append(dst, "]}}"...)
}
