// Package templates holds what nself renders into a user's project: function services, which are real programs that are
// built and tested where they stand, the documented actions, and the migrations that they need.
package templates

import "embed"

// FS holds the templates under the names of their folders: golang, nestjs, python, actions, hasura. Paths are listed one
// by one, so that what a build or an editor leaves beside them stays out.
//
//go:embed golang/main.go golang/main_test.go golang/README.md golang/Dockerfile golang/.dockerignore
//go:embed golang/go.mod.embed golang/go.sum.embed
//go:embed all:golang/actions all:golang/internal
//go:embed nestjs/package.json nestjs/package-lock.json nestjs/tsconfig.json nestjs/tsconfig.build.json nestjs/.npmrc
//go:embed nestjs/eslint.config.mjs nestjs/jest.config.mjs nestjs/jest.nest.cjs nestjs/.prettierrc
//go:embed nestjs/.prettierignore nestjs/.gitignore nestjs/README.md nestjs/Dockerfile nestjs/.dockerignore
//go:embed all:nestjs/src all:nestjs/test
//go:embed python/app.py python/gunicorn.conf.py python/pyproject.toml python/requirements.txt
//go:embed python/requirements-dev.txt python/README.md python/Dockerfile python/.dockerignore
//go:embed python/actions/*.py python/actions/*.txt python/actions/*.html python/service/*.py python/tests/*.py
//go:embed all:actions all:hasura
var FS embed.FS
