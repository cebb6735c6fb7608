package scaffold

import (
	"slices"

	"github.com/nself-org/nself/internal/codegen"
)

// Classes of the template that several actions need.
var (
	nestStorage = codegen.TSClass{Name: "StorageService", Module: "../storage/storage.service"}
	// nestFileLinks serves what the storage holds.
	nestFileLinks = codegen.TSClass{Name: "FilesController", Module: "../storage/files.controller"}
	nestJobs      = codegen.TSClass{Name: "JobsService", Module: "../jobs/jobs.service"}
	nestQueue     = []codegen.TSClass{
		{Name: "JobQueue", Module: "../jobs/job-queue"}, {Name: "JobRunner", Module: "../jobs/job-runner"},
	}
	nestPasswords = codegen.TSClass{Name: "PasswordService", Module: "./password.service"}
	nestCrm       = []codegen.TSClass{
		{Name: "Cipher", Module: "../crm/cipher"},
		{Name: "Targets", Module: "../crm/targets"},
		{Name: "IntegrationService", Module: "./integration.service"},
	}
)

// nestImplementations names, for each documented action, the classes of the template that implement it. The first
// controller is the one that has the action's method.
var nestImplementations = map[string]codegen.TSImplementation{
	"registerUser": {
		Controllers: []codegen.TSClass{
			{Name: "UserController", Module: "./user.controller"},
			{Name: "VerifyEmailController", Module: "./verify-email.controller"},
		},
		Providers: []codegen.TSClass{nestPasswords, {Name: "UserService", Module: "./user.service"}},
	},
	"processPayment": {
		Controllers: []codegen.TSClass{{Name: "ProcessPaymentController", Module: "./process-payment.controller"}},
		Providers: []codegen.TSClass{
			{Name: "PaymentService", Module: "./payment.service"}, {Name: "StripeService", Module: "./stripe.service"},
		},
	},
	"generateReport": {
		Controllers: []codegen.TSClass{{Name: "GenerateReportController", Module: "./generate-report.controller"}, nestFileLinks},
		Providers: slices.Concat(nestQueue, []codegen.TSClass{
			{Name: "ReportJob", Module: "../reports/report.job"}, nestStorage,
		}),
	},
	"jobStatus": {
		Controllers: []codegen.TSClass{{Name: "JobStatusController", Module: "./job-status.controller"}, nestFileLinks},
		Providers:   []codegen.TSClass{nestJobs, nestStorage},
	},
	"cancelJob": {
		Controllers: []codegen.TSClass{{Name: "CancelJobController", Module: "./cancel-job.controller"}},
		Providers:   []codegen.TSClass{nestJobs},
	},
	"bulkCreateUsers": {
		Controllers: []codegen.TSClass{
			{Name: "BulkCreateUsersController", Module: "./bulk-create-users.controller"},
			{Name: "AcceptInvitationController", Module: "./accept-invitation.controller"},
		},
		Providers: slices.Concat([]codegen.TSClass{
			{Name: "BulkUserService", Module: "./bulk-user.service"},
			{Name: "InvitationService", Module: "./invitation.service"},
			nestPasswords,
		}, nestQueue),
	},
	"uploadAndProcessFile": {
		Controllers: []codegen.TSClass{
			{Name: "UploadAndProcessFileController", Module: "./upload-and-process-file.controller"}, nestFileLinks,
		},
		Providers: slices.Concat([]codegen.TSClass{
			{Name: "FileJob", Module: "../files/file.job"}, {Name: "FileService", Module: "../files/file.service"}, nestStorage,
		}, nestQueue),
	},
	"saveCrmIntegration": {
		Controllers: []codegen.TSClass{
			{Name: "SaveCrmIntegrationController", Module: "./save-crm-integration.controller"},
		},
		Providers: nestCrm,
	},
	"syncWithCrm": {
		Controllers: []codegen.TSClass{{Name: "SyncWithCrmController", Module: "./sync-with-crm.controller"}},
		Providers: slices.Concat(nestCrm, []codegen.TSClass{
			{Name: "ContactService", Module: "./contact.service"}, {Name: "CrmService", Module: "./crm.service"},
		}),
	},
}

// Files of the template that several actions share.
var (
	nestPasswordFiles = []string{
		"src/actions/password.service.spec.ts", "src/actions/password.service.ts", "src/actions/user.rules.spec.ts",
		"src/actions/user.rules.ts",
	}
	nestJobFiles   = []string{"src/jobs/jobs.service.ts"}
	nestQueueFiles = []string{
		"src/jobs/job-queue.ts", "src/jobs/job-run.ts", "src/jobs/job-runner.ts", "src/jobs/jobs.service.ts", "test/jobs.ts",
	}
	nestStorageFiles = []string{
		"src/storage/file-urls.spec.ts", "src/storage/file-urls.ts", "src/storage/files.controller.ts",
		"src/storage/local.ts", "src/storage/s3.spec.ts", "src/storage/s3.ts", "src/storage/storage.service.ts",
		"src/storage/storage.ts",
	}
	nestCrmFiles = []string{
		"src/actions/integration.service.ts", "src/crm/cipher.spec.ts", "src/crm/cipher.ts", "src/crm/targets.spec.ts",
		"src/crm/targets.ts",
	}
)

// nestFiles names, for each documented action, the files of the template that are rendered for its sake.
var nestFiles = map[string][]string{
	"registerUser": append([]string{
		"src/actions/user.controller.spec.ts", "src/actions/user.controller.ts", "src/actions/user.service.ts",
		"src/actions/verify-email.controller.ts", "test/register-user.e2e-spec.ts",
	}, nestPasswordFiles...),
	"processPayment": {
		"src/actions/payment.service.ts", "src/actions/process-payment.controller.ts",
		"src/actions/process-payment.rules.ts", "src/actions/stripe.service.ts", "test/process-payment.e2e-spec.ts",
		"test/stripe.ts",
	},
	"generateReport": slices.Concat([]string{
		"src/actions/generate-report.controller.ts", "src/actions/generate-report.rules.ts", "src/reports/report.job.ts",
		"src/reports/report.ts", "test/generate-report.e2e-spec.ts",
	}, nestQueueFiles, nestStorageFiles),
	"jobStatus": slices.Concat([]string{
		"src/actions/job-answer.ts", "src/actions/job-status.controller.ts", "test/job-status.e2e-spec.ts",
	}, nestJobFiles, nestStorageFiles),
	"cancelJob": append([]string{
		"src/actions/cancel-job.controller.ts", "src/actions/job-answer.ts", "test/cancel-job.e2e-spec.ts",
	}, nestJobFiles...),
	"bulkCreateUsers": slices.Concat([]string{
		"src/actions/accept-invitation.controller.ts", "src/actions/bulk-create-users.controller.ts",
		"src/actions/bulk-user.service.ts", "src/actions/invitation.service.ts", "test/bulk-create-users.e2e-spec.ts",
	}, nestPasswordFiles, nestQueueFiles),
	"uploadAndProcessFile": slices.Concat([]string{
		"src/actions/upload-and-process-file.controller.ts", "src/actions/upload-and-process-file.rules.ts",
		"src/files/content.ts", "src/files/csv-statistics.spec.ts", "src/files/csv-statistics.ts", "src/files/file.job.ts",
		"src/files/file.service.ts", "src/files/image-size.spec.ts", "src/files/image-size.ts", "src/files/image.ts",
		"test/upload-and-process-file.e2e-spec.ts",
	}, nestQueueFiles, nestStorageFiles),
	"saveCrmIntegration": append([]string{
		"src/actions/save-crm-integration.controller.ts", "test/save-crm-integration.e2e-spec.ts",
	}, nestCrmFiles...),
	"syncWithCrm": append([]string{
		"src/actions/contact.service.ts", "src/actions/crm.service.ts", "src/actions/sync-with-crm.controller.ts",
		"src/crm/crm-client.ts", "test/sync-with-crm.e2e-spec.ts",
	}, nestCrmFiles...),
}
