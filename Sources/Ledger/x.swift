import GRDB
let q = DatabaseMigrator()
