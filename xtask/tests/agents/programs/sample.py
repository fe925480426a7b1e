"""A server that answers /front by what it asks of itself at /back. Its port is the first line it says."""

import logging
import socketserver
import urllib.request
import wsgiref.simple_server

import falcon

# Old ones, which our agent could not do with; the application's own have to be what it gets.
import google.protobuf
import typing_extensions

assert google.protobuf.__version__ == "3.20.3", google.protobuf
assert not hasattr(typing_extensions, "deprecated"), typing_extensions
# That nobody has configured logging before is what basicConfig goes by.
assert not logging.root.handlers, logging.root.handlers


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


class Back:
    def on_get(self, request, response):
        response.text = "back"


class Front:
    def on_get(self, request, response):
        with urllib.request.urlopen("http://127.0.0.1:%d/back" % server.server_port) as answer:
            response.text = "front " + answer.read().decode()


application = falcon.App()
application.add_route("/front", Front())
application.add_route("/back", Back())
server = wsgiref.simple_server.make_server("127.0.0.1", 0, application, Server, Quiet)
print(server.server_port, flush=True)
server.serve_forever()
